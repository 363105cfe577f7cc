{#- A text of the form YYYY-MM-DD as a date, or null. -#}
{% macro safe_date(text) -%}
    {{ return(adapter.dispatch('safe_date')(text)) }}
{%- endmacro %}

{% macro postgres__safe_date(text) -%}
    case
        when {{ text }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' and pg_input_is_valid({{ text }}, 'date')
            then cast({{ text }} as date)
    end
{%- endmacro %}

{% macro redshift__safe_date(text) -%}
    case when {{ text }} ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' then try_cast({{ text }} as date) end
{%- endmacro %}
