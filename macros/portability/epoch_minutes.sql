{#- Whole minutes since 1970-01-01 as an integer; the minute that contains the time, rounded down
    before 1970 too: on Redshift the epoch is an integer, whose division truncates. -#}
{% macro epoch_minutes(timestamp) -%}
    {{ return(adapter.dispatch('epoch_minutes')(timestamp)) }}
{%- endmacro %}

{% macro postgres__epoch_minutes(timestamp) -%}
    cast(floor(extract(epoch from {{ timestamp }}) / 60) as integer)
{%- endmacro %}

{% macro redshift__epoch_minutes(timestamp) -%}
    cast(datediff(minute, cast('1970-01-01' as timestamp), {{ timestamp }}) as integer)
{%- endmacro %}
