-- One row per sale. On Redshift the rows of one customer lie together, in order of time, since
-- most questions restrict the time.
{%- set affected -%}
affected_records(ref('int_sales__changes'), at='sold_at', dimensions=['product', 'customer'])
{%- endset %}
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='int_sales__changes') }}",
            "{{ delete_affected('sale_key', 'select record_key as sale_key from (' ~ " ~ affected ~ " ~ ') as r') }}",
        ],
        post_hook=[
            "{{ remember_versions(ref('dim_products'), 'product_id', 'product_key') }}",
            "{{ remember_versions(ref('dim_customers'), 'customer_id', 'customer_key') }}",
            "{{ analyze_table(this) }}",
        ],
        indexes=[{'columns': ['sale_key']}, {'columns': ['region', 'sold_at']}, {'columns': ['sold_at']}],
        dist='customer_id',
        sort=['sold_at', 'region'],
    )
}}

with {{ newest_changes(
    ref('int_sales__changes'),
    key=['record_key', 'sale_id'],
    affected=kept(affected_records(ref('int_sales__changes'), at='sold_at', dimensions=['product', 'customer'])),
) }},

products as (

    select * from {{ ref('dim_products') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

keyed as (

    select
        ---------- keys
        sales.record_key as sale_key,
        sales.sale_id,
        sales.order_id,
        coalesce(products.product_key, -1) as product_key,
        sales.product_id,
        coalesce(customers.customer_key, -1) as customer_key,
        sales.customer_id,
        cast(to_char(sales.sold_at, 'YYYYMMDD') as integer) as date_key,

        ---------- timestamps
        sales.sold_at,

        ---------- texts
        sales.store_id,
        sales.region,
        sales.sales_rep,

        ---------- numerics
        sales.quantity,
        sales.amount,
        coalesce(sales.discount, 0) as discount,

        ---------- load
        sales._batch_id,
        sales._loaded_at
    from newest_changes as sales
    left join products
        on
            sales.product_id = products.product_id
            and sales.sold_at >= products.valid_from
            and sales.sold_at < products.valid_to
    left join customers
        on
            sales.customer_id = customers.customer_id
            and sales.sold_at >= customers.valid_from
            and sales.sold_at < customers.valid_to
    where sales.quarantine_reasons is null

)

select {{ contract_columns() }}
from keyed
