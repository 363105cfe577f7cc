{#- Microseconds since 1970-01-01 as a bigint; exact, since the engines' epoch may be a double. -#}
{% macro epoch_microseconds(timestamp) -%}
    {{ return(adapter.dispatch('epoch_microseconds')(timestamp)) }}
{%- endmacro %}

{% macro postgres__epoch_microseconds(timestamp) -%}
    cast(extract(epoch from {{ timestamp }}) * 1000000 as bigint)
{%- endmacro %}

{% macro redshift__epoch_microseconds(timestamp) -%}
    datediff(microsecond, cast('1970-01-01' as timestamp), {{ timestamp }})
{%- endmacro %}
