-- One row per change of an order: typed, and why it is not fit to be a fact.
{%- set attributes = ['event_id', 'order_id', 'user_id', 'status', 'ordered_at', 'total'] %}
with staged as (

    select * from {{ ref('stg_shop__orders') }}

),

{{ change_rows('staged', 'order_id', attributes) }},

date_range as (

    select * from {{ ref('date_range') }}

),

typed as (

    select
        changes.*,
        {{ safe_timestamp('ordered_at') }} as order_time,
        {{ safe_decimal('total') }} as total_number
    from changes

),

checked as (

    select
        typed.*,
        order_time >= first_date and order_time < last_date + 1 as is_ordered_in_range,
        order_reasons
        || case when event_id is null then ',missing_event_id' else '' end
        || case
            when change_operation = 'D' then ''
            else
                case
                    when ordered_at is null then ',missing_ordered_at'
                    when order_time is null then ',invalid_ordered_at'
                    when order_time < first_date or order_time >= last_date + 1 then ',ordered_at_out_of_range'
                    else ''
                end
                || case
                    when total is null then ',missing_total'
                    when total_number is null or total_number <> trunc(total_number, 2) then ',invalid_total'
                    else ''
                end
                || case when items_type in ('array', 'null') then '' else ',items_not_a_list' end
                || {{ too_long_reason(['order_id', 'user_id', 'status']) }}
        end as reasons
    from typed
    cross join date_range

),

final as (

    select
        {{ change_columns() }}
        event_id,

        ---------- ids
        changed_key as order_id,
        user_id,

        ---------- numerics
        cast(case when total_number = trunc(total_number, 2) then total_number end as decimal(18, 2)) as total,

        ---------- timestamps, UTC
        case when is_ordered_in_range then order_time end as ordered_at,

        ---------- texts
        status,

        ---------- machine-readable codes with commas between; null: fit to be a fact
        nullif(substring(reasons, 2), '') as quarantine_reasons,

        {{ load_columns() }}
    from checked

)

select * from final
