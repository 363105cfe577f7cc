-- Orders and revenue by UTC month: the month of the newest sale and the five before it.
--     dbt show --select sales_of_the_last_six_months
with newest as (

    select date_trunc('month', max(sold_at)) as last_month
    from {{ ref('fact_sales') }}

)

select
    cast(date_trunc('month', sales.sold_at) as date) as month,
    count(distinct sales.order_id) as orders,
    sum(sales.amount) as revenue
from {{ ref('fact_sales') }} as sales
inner join newest on sales.sold_at >= {{ dbt.dateadd('month', -5, 'newest.last_month') }}
group by cast(date_trunc('month', sales.sold_at) as date)
order by month
