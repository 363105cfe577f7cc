-- One row per order whose newest change is not fit to be a fact, with the reason.
-- On Redshift spread evenly: never joined, looked up by key.
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='int_orders__changes') }}",
            "{{ delete_affected('order_key', 'select record_key as order_key from (' ~ affected_records(ref('int_orders__changes')) ~ ') as r') }}",
        ],
        indexes=[{'columns': ['order_key']}],
        dist='even',
        sort='order_key',
    )
}}

with {{ newest_changes(
    ref('int_orders__changes'),
    key=['record_key', 'order_id'],
    affected=kept(affected_records(ref('int_orders__changes'))),
) }},

quarantined as (

    select
        newest_changes.*,
        record_key as order_key
    from newest_changes
    where quarantine_reasons is not null

)

select {{ contract_columns() }}
from quarantined
