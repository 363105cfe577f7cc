{#- A text of a whole number of up to 18 digits as a bigint, or null. MongoDB and JavaScript keep whole
    numbers as doubles, too: 40.0 and 1.234567E+06 are whole, up to 2^53. -#}
{% macro safe_bigint(text) -%}
    {{ return(adapter.dispatch('safe_bigint')(text)) }}
{%- endmacro %}

{% macro whole_pattern() -%} '^[+-]?[0-9]{1,18}([.]0*)?$' {%- endmacro %}

{% macro exponent_pattern() -%} '^[+-]?[0-9]{1,15}([.][0-9]*)?[eE][+]?[0-9]{1,2}$' {%- endmacro %}

{% macro postgres__safe_bigint(text) -%}
    {%- set number = 'cast(' ~ text ~ ' as numeric)' -%}
    case
        when {{ text }} ~ {{ whole_pattern() }} then cast({{ number }} as bigint)
        when {{ text }} ~ {{ exponent_pattern() }}
            then case
                when abs({{ number }}) <= 9007199254740992 and {{ number }} = trunc({{ number }})
                    then cast({{ number }} as bigint)
            end
    end
{%- endmacro %}

{% macro redshift__safe_bigint(text) -%}
    {%- set number = 'try_cast(' ~ text ~ ' as double precision)' -%}
    case
        when {{ text }} ~ {{ whole_pattern() }} then cast(split_part({{ text }}, '.', 1) as bigint)
        when
            {{ text }} ~ {{ exponent_pattern() }}
            and abs({{ number }}) <= 9007199254740992
            and {{ number }} = trunc({{ number }})
            then cast({{ number }} as bigint)
    end
{%- endmacro %}
