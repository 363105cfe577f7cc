-- Lines of the records that the orders' facts come from = facts + quarantined. Counted as
-- documents have them, each record once.
with newest as (

    select
        record_key,
        event_id,
        change_operation,
        quarantine_reasons,
        row_number() over (partition by record_key order by {{ change_order('desc') }}) as recency
    from {{ ref('int_orders__changes') }}
    where _is_live

),

lines as (

    select count(distinct items.order_id || '|' || cast(items.line_number as varchar(10))) as n
    from {{ ref('stg_shop__order_lines') }} as items
    inner join newest
        on
            items.event_id = newest.event_id
            and newest.recency = 1
            and newest.change_operation <> 'D'
            and newest.quarantine_reasons is null
            and {{ hash_key("'id:' || items.order_id") }} = newest.record_key

),

facts as (

    select count(*) as n from {{ ref('fact_order_lines') }}

),

quarantined as (

    select count(*) as n from {{ ref('quarantined_order_lines') }}

)

select
    lines.n as lines_in,
    facts.n as facts,
    quarantined.n as quarantined
from lines
cross join facts
cross join quarantined
where
    lines.n <> facts.n + quarantined.n
    and not exists ({{ lagging_events('int_orders__changes', 'fact_order_lines') }})
    and not exists ({{ lagging_events('int_orders__changes', 'quarantined_order_lines') }})
