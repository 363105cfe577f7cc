{#- A text as decimal(18, 8), or null where it is not a plain decimal: an optional sign, at most
    nine digits before the point, a digit before or after it. No exponent, no blank, no NaN.
    The engines' own casts take more (1e5, 0x1F, infinity), and not the same on both. -#}
{% macro safe_decimal(text) -%}
    {{ return(adapter.dispatch('safe_decimal')(text)) }}
{%- endmacro %}

{% macro plain_decimal_pattern() -%}
    '^[+-]?([0-9]{1,9}([.][0-9]*)?|[.][0-9]+)$'
{%- endmacro %}

{% macro postgres__safe_decimal(text) -%}
    case
        when {{ text }} ~ {{ plain_decimal_pattern() }} then cast({{ text }} as decimal(18, 8))
    end
{%- endmacro %}

{% macro redshift__safe_decimal(text) -%}
    case
        when {{ text }} ~ {{ plain_decimal_pattern() }} then try_cast({{ text }} as decimal(18, 8))
    end
{%- endmacro %}
