-- How many orders does each region have, what do they bring, and how much is an average order?
--     dbt show --select sales_by_region
with regions as (

    select
        region,
        count(distinct order_id) as orders,
        sum(amount) as revenue
    from {{ ref('fact_sales') }}
    group by region

)

select
    region,
    orders,
    revenue,
    cast(round(cast(revenue as decimal(28, 8)) / cast(orders as decimal(9, 0)), 2) as decimal(18, 2)) as average_order
from regions
order by revenue desc, region asc
