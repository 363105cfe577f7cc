{#- A quotient of whole numbers as decimal(18, 4), by way of double precision: the engines give a
    quotient of decimals different scales. Null where the divisor is 0. -#}
{% macro share(part, whole) -%}
    cast(cast({{ part }} as double precision) / nullif(cast({{ whole }} as double precision), 0) as decimal(18, 4))
{%- endmacro %}
