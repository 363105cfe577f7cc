{#- A text of milliseconds since 1970-01-01 (negative before it) as a timestamp in UTC, or null where
    it is no whole number or lies outside of the years 1 to 9999. -#}
{% macro safe_milliseconds(text) -%}
    {{ return(adapter.dispatch('safe_milliseconds')(text)) }}
{%- endmacro %}

{% macro in_years_1_to_9999(milliseconds) -%}
    {{ milliseconds }} between -62135596800000 and 253402300799999
{%- endmacro %}

{% macro postgres__safe_milliseconds(text) -%}
    {%- set milliseconds = 'cast(' ~ text ~ ' as bigint)' -%}
    case
        when {{ text }} ~ '^-?[0-9]{1,15}$'
            then case
                when {{ in_years_1_to_9999(milliseconds) }}
                    then cast('1970-01-01' as timestamp) + {{ milliseconds }} / 1000 * interval '1 second'
                        + {{ milliseconds }} % 1000 * interval '1 millisecond'
            end
    end
{%- endmacro %}

{#- In days and milliseconds of the day, because dateadd counts in 32 bits. -#}
{% macro redshift__safe_milliseconds(text) -%}
    {%- set milliseconds = 'try_cast(' ~ text ~ ' as bigint)' -%}
    case
        when {{ text }} ~ '^-?[0-9]{1,15}$' and {{ in_years_1_to_9999(milliseconds) }}
            then dateadd(
                millisecond,
                cast({{ milliseconds }} % 86400000 as integer),
                dateadd(day, cast({{ milliseconds }} / 86400000 as integer), cast('1970-01-01' as timestamp))
            )
    end
{%- endmacro %}
