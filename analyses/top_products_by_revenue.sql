-- Which five products bring most? Name and category are as they are now, also of older sales.
--     dbt show --select top_products_by_revenue
-- `dbt show` adds a LIMIT of its own, so this one stands inside.
with first_ones as (

    select
        sales.product_id,
        products.current_product_name as product_name,
        products.current_category as category,
        sum(sales.quantity) as quantity,
        sum(sales.amount) as revenue
    from {{ ref('fact_sales') }} as sales
    inner join {{ ref('dim_products') }} as products on sales.product_key = products.product_key
    where sales.product_id is not null
    group by
        sales.product_id,
        products.current_product_name,
        products.current_category
    order by revenue desc, sales.product_id asc
    limit 5

)

select * from first_ones
order by revenue desc, product_id asc
