{#- Sample standard deviation from mergeable parts as decimal(12, 6); null for one value. The
    difference n * sum of squares - sum squared is taken exactly, in decimal, before the root:
    in double precision it would cancel. Exact while |sum| < 10^14 and sum of squares < 10^20. -#}
{% macro sample_deviation(n, sum, sum_of_squares) -%}
    cast(
        sqrt(
            cast(
                cast({{ n }} as decimal(9, 0)) * cast({{ sum_of_squares }} as decimal(28, 8))
                - cast({{ sum }} as decimal(18, 4)) * cast({{ sum }} as decimal(18, 4))
                as double precision
            ) / nullif(cast({{ n }} as double precision) * ({{ n }} - 1), 0)
        ) as decimal(12, 6)
    )
{%- endmacro %}
