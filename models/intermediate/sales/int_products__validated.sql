-- One row per change of a product: typed, and why it is not fit to take part in its history.
{%- set attributes = [
    'product_id', 'product_name', 'category', 'department', 'brand', 'list_price',
] %}
with staged as (

    select * from {{ ref('stg_sales__products') }}

),

{{ change_rows('staged', 'product_id', attributes) }},

typed as (

    select
        changes.*,
        {{ safe_decimal('list_price') }} as price_number
    from changes

),

checked as (

    select
        typed.*,
        order_reasons || case
            when change_operation = 'D' or list_price is null then ''
            when price_number is null or price_number <> trunc(price_number, 2) then ',invalid_list_price'
            else ''
        end as reasons
    from typed

),

final as (

    select
        {{ change_columns() }}

        ---------- attributes
        changed_key as product_id,
        product_name,
        category,
        department,
        brand,
        cast(case when price_number = trunc(price_number, 2) then price_number end as decimal(18, 2))
            as list_price,

        ---------- machine-readable codes with commas between; null: takes part in the history
        nullif(substring(reasons, 2), '') as quarantine_reasons,

        {{ load_columns() }}
    from checked

)

select * from final
