-- Typed values are written as DMS writes them in CSV, so that one set of rules reads both.
{% set columns = [
    'sale_id', 'order_id', 'customer_id', 'product_id', 'store_id', 'region', 'sales_rep',
    'sold_at', 'quantity', 'amount', 'discount',
] %}
with source as (

    select * from {{ source('sales', 'sales_changes_parquet') }}

),

trimmed as (

    select
        cast(sale_id as varchar(32)) as sale_id,
        cast(order_id as varchar(32)) as order_id,
        cast(customer_id as varchar(32)) as customer_id,
        cast(product_id as varchar(32)) as product_id,
        cast(store_id as varchar(32)) as store_id,
        region,
        sales_rep,
        case
            when sold_at = date_trunc('second', sold_at) then to_char(sold_at, 'YYYY-MM-DD HH24:MI:SS')
            else to_char(sold_at, 'YYYY-MM-DD HH24:MI:SS.US')
        end as sold_at,
        cast(quantity as varchar(32)) as quantity,
        cast(amount as varchar(32)) as amount,
        cast(discount as varchar(32)) as discount,
        op as source_operation,
        change_seq as source_change_seq,
        committed_at as source_committed_at,
        cast(bi_sale_id as varchar(32)) as former_key,
        _batch_id,
        _loaded_at
    from source

)

{{ dms_ordered(columns, 'sale_id') }}
