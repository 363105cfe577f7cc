-- Who sells most?
--     dbt show --select sales_representatives_by_revenue --limit 20
select
    coalesce(sales_rep, '(unknown)') as sales_rep,
    count(distinct order_id) as orders,
    sum(amount) as revenue
from {{ ref('fact_sales') }}
group by coalesce(sales_rep, '(unknown)')
order by revenue desc, sales_rep asc
