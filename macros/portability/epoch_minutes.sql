{#- Whole minutes since 1970-01-01 as an integer; the minute that contains the time. -#}
{% macro epoch_minutes(timestamp) -%}
    cast(floor(extract(epoch from {{ timestamp }}) / 60) as integer)
{%- endmacro %}
