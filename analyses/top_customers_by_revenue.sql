-- Which ten customers bring most, and where do they live now?
--     dbt show --select top_customers_by_revenue --limit 10
-- `dbt show` adds a LIMIT of its own, so this one stands inside.
with first_ones as (

    select
        sales.customer_id,
        customers.current_customer_name as customer_name,
        customers.current_city as city,
        customers.current_state as state,
        count(distinct sales.order_id) as orders,
        sum(sales.amount) as revenue
    from {{ ref('fact_sales') }} as sales
    inner join {{ ref('dim_customers') }} as customers on sales.customer_key = customers.customer_key
    where sales.customer_id is not null
    group by
        sales.customer_id,
        customers.current_customer_name,
        customers.current_city,
        customers.current_state
    order by revenue desc, sales.customer_id asc
    limit 10

)

select * from first_ones
order by revenue desc, customer_id asc
