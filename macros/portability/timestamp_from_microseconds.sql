{#- A bigint of microseconds since 1970-01-01 as a timestamp in UTC. -#}
{% macro timestamp_from_microseconds(number) -%}
    {{ return(adapter.dispatch('timestamp_from_microseconds')(number)) }}
{%- endmacro %}

{#- In two steps: the engine multiplies an interval in double precision, which is exact to 2^53. -#}
{% macro postgres__timestamp_from_microseconds(number) -%}
    (
        cast('1970-01-01' as timestamp) + {{ number }} / 1000000 * interval '1 second'
        + {{ number }} % 1000000 * interval '1 microsecond'
    )
{%- endmacro %}

{% macro redshift__timestamp_from_microseconds(number) -%}
    dateadd(microsecond, {{ number }}, cast('1970-01-01' as timestamp))
{%- endmacro %}
