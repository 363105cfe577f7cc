{#- A text as decimal(18, 8), or null where it is not a decimal number below 10^9: an optional sign,
    digits with or without a point, an optional exponent (R writes 1000 as 1e3). No blank, no NaN.
    Digits beyond the eighth are cut, not rounded: rounded twice, 0.00004999999999 would be 0.0001.
    The engines' own casts take more (0x1F, infinity, 1_000), and not the same on both. -#}
{% macro safe_decimal(text) -%}
    {{ return(adapter.dispatch('safe_decimal')(text)) }}
{%- endmacro %}

{% macro decimal_pattern() -%}
    '^[+-]?([0-9]{1,9}([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,2})?$'
{%- endmacro %}

{% macro postgres__safe_decimal(text) -%}
    case
        when {{ text }} ~ {{ decimal_pattern() }}
            then case
                when abs(cast({{ text }} as numeric)) < 999999999 then cast(trunc(cast({{ text }} as numeric), 8) as decimal(18, 8))
            end
    end
{%- endmacro %}

{#- Redshift casts a text with an exponent to a double only. Of a double, 15 digits count; so it is
    rounded there before it is cut. The outer cast states the type to who asks the catalog for the
    columns of a late-binding view. -#}
{% macro redshift__safe_decimal(text) -%}
    {%- set exact = 'try_cast(' ~ text ~ ' as decimal(38, 20))' -%}
    {%- set float = 'try_cast(' ~ text ~ ' as double precision)' -%}
    cast(
        case
            when {{ text }} ~ {{ decimal_pattern() }}
                then trunc(
                    case
                        when {{ text }} not like '%e%' and {{ text }} not like '%E%' and abs({{ exact }}) < 999999999
                            then {{ exact }}
                        {%- for limit, scale in [(1000, 12), (1000000, 9), (999999999, 6)] %}
                        when abs({{ float }}) < {{ limit }} then cast({{ float }} as decimal(38, {{ scale }}))
                        {%- endfor %}
                    end,
                    8
                )
        end as decimal(18, 8)
    )
{%- endmacro %}
