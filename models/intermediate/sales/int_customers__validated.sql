-- One row per change of a customer: typed, and why it is not fit to take part in its history.
{%- set attributes = [
    'customer_id', 'customer_name', 'age_group', 'income_group', 'city', 'state',
] %}
with staged as (

    select * from {{ ref('stg_sales__customers') }}

),

{{ change_rows('staged', 'customer_id', attributes) }},

final as (

    select
        {{ change_columns() }}

        ---------- attributes
        changed_key as customer_id,
        customer_name,
        age_group,
        income_group,
        city,
        state,

        ---------- machine-readable codes with commas between; null: takes part in the history
        nullif(substring(order_reasons, 2), '') as quarantine_reasons,

        {{ load_columns() }}
    from changes

)

select * from final
