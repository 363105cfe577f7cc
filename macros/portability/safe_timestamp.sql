{#- A text in ISO 8601 extended form (date, T or blank, hours and minutes, optional seconds and
    fraction, optional offset) as a timestamp in UTC, or null. Without an offset it is UTC. -#}
{% macro safe_timestamp(text) -%}
    {{ return(adapter.dispatch('safe_timestamp')(text)) }}
{%- endmacro %}

{% macro iso_timestamp_pattern() -%}
    '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?$'
{%- endmacro %}

{% macro with_offset(text) -%}
    (case when {{ text }} ~ '(Z|[+-][0-9]{2}:?[0-9]{2})$' then {{ text }} else {{ text }} || 'Z' end)
{%- endmacro %}

{% macro postgres__safe_timestamp(text) -%}
    case
        when {{ text }} ~ {{ iso_timestamp_pattern() }} and pg_input_is_valid({{ with_offset(text) }}, 'timestamptz')
            then cast({{ with_offset(text) }} as timestamp with time zone) at time zone 'UTC'
    end
{%- endmacro %}

{% macro redshift__safe_timestamp(text) -%}
    case
        when {{ text }} ~ {{ iso_timestamp_pattern() }}
            then try_cast({{ with_offset(text) }} as timestamp with time zone) at time zone 'UTC'
    end
{%- endmacro %}
