{#- A query of the regions and months that have, or had, a sale of the claimed batches. -#}
{% macro affected_months_of_sales() -%}
    select distinct region, sold_month as month
    from {{ ref('int_sales__changes') }}
    where
        sold_month is not null
        and record_key in ({{ affected_records(ref('int_sales__changes')) }})
{%- endmacro %}
