-- One row per change of a sale: typed, and why it is not fit to be a fact. An update that changed
-- the key is a deletion under the former one, too. All the rules of a sale are here.
{%- set attributes = [
    'sale_id', 'order_id', 'customer_id', 'product_id', 'store_id', 'region', 'sales_rep', 'sold_at', 'quantity',
    'amount', 'discount',
] %}
with staged as (

    select * from {{ ref('stg_sales__sales') }}

),

{{ change_rows('staged', 'sale_id', attributes) }},

date_range as (

    select * from {{ ref('date_range') }}

),

typed as (

    select
        changes.*,
        {{ safe_timestamp('sold_at') }} as sale_time,
        {{ safe_decimal('quantity') }} as quantity_number,
        {{ safe_decimal('amount') }} as amount_number,
        {{ safe_decimal('discount') }} as discount_number
    from changes

),

checked as (

    select
        typed.*,
        sale_time >= first_date and sale_time < last_date + 1 as is_sold_in_range,
        order_reasons || case
            when change_operation = 'D' then ''
            else
                case when order_id is null then ',missing_order_id' else '' end
                || case
                    when sold_at is null then ',missing_sold_at'
                    when sale_time is null then ',invalid_sold_at'
                    when sale_time < first_date or sale_time >= last_date + 1 then ',sold_at_out_of_range'
                    else ''
                end
                || case
                    when quantity is null then ',missing_quantity'
                    when quantity_number is null or quantity_number <> trunc(quantity_number) then ',invalid_quantity'
                    else ''
                end
                || case
                    when amount is null then ',missing_amount'
                    when amount_number is null or amount_number <> trunc(amount_number, 2) then ',invalid_amount'
                    else ''
                end
                || case
                    when discount is null then ''
                    when discount_number is null or discount_number <> trunc(discount_number, 2)
                        then ',invalid_discount'
                    else ''
                end
        end as reasons
    from typed
    cross join date_range

),

final as (

    select
        {{ change_columns() }}

        ---------- ids
        changed_key as sale_id,
        order_id,
        customer_id,
        product_id,
        store_id,

        ---------- numerics
        cast(case when quantity_number = trunc(quantity_number) then quantity_number end as integer) as quantity,
        cast(case when amount_number = trunc(amount_number, 2) then amount_number end as decimal(18, 2)) as amount,
        cast(case when discount_number = trunc(discount_number, 2) then discount_number end as decimal(18, 2))
            as discount,

        ---------- timestamps, UTC
        case when is_sold_in_range then sale_time end as sold_at,
        cast(date_trunc('month', case when is_sold_in_range then sale_time end) as date) as sold_month,

        ---------- texts
        coalesce(region, '(unknown)') as region,
        sales_rep,

        ---------- machine-readable codes with commas between; null: fit to be a fact
        nullif(substring(reasons, 2), '') as quarantine_reasons,

        {{ load_columns() }}
    from checked

)

select * from final
