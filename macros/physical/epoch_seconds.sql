{#- A text of whole seconds since 1970-01-01 as a bigint, or null where it is none; at most eleven
    digits, which reach to the year 5138. -#}
{% macro epoch_seconds(text) -%}
    cast(case when {{ text }} ~ '^[0-9]{1,11}$' then {{ text }} end as bigint)
{%- endmacro %}
