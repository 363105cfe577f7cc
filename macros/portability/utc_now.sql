{#- The server's time in UTC, without zone. -#}
{% macro utc_now() -%}
    {{ return(adapter.dispatch('utc_now')()) }}
{%- endmacro %}

{% macro postgres__utc_now() -%}
    (current_timestamp at time zone 'UTC')
{%- endmacro %}

{% macro redshift__utc_now() -%}
    getdate()
{%- endmacro %}
