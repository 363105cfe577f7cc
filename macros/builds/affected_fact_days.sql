{#- A query of the tables and days (as in daily_fact_counts) that have, or had, a sale, an order's line or
    an observation of the claimed batches: of every version, live or not. -#}
{% macro affected_fact_days() -%}
    select distinct
        cast('fact_sales' as varchar(255)) as table_name,
        cast(sold_at as date) as day
    from {{ ref('int_sales__changes') }}
    where sold_at is not null and record_key in ({{ affected_records(ref('int_sales__changes')) }})
    union
    select
        'fact_order_lines',
        cast(ordered_at as date)
    from {{ ref('int_orders__changes') }}
    where ordered_at is not null and record_key in ({{ affected_records(ref('int_orders__changes')) }})
    union
    select
        'fact_observations.' || source_system,
        cast(observed_at as date)
    from {{ ref('int_observations__normalized') }}
    where observed_at is not null and file_key in ({{ affected_files() }})
{%- endmacro %}
