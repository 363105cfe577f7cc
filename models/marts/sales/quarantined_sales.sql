-- One row per sale whose newest change is not fit to be a fact, with the reason.
-- On Redshift spread evenly: never joined, looked up by key.
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='int_sales__changes') }}",
            "{{ delete_affected('sale_key', 'select record_key as sale_key from (' ~ affected_records(ref('int_sales__changes')) ~ ') as r') }}",
        ],
        indexes=[{'columns': ['sale_key']}],
        dist='even',
        sort='sale_key',
    )
}}

with {{ newest_changes(
    ref('int_sales__changes'),
    key=['record_key', 'sale_id'],
    affected=kept(affected_records(ref('int_sales__changes'))),
) }},

quarantined as (

    select
        newest_changes.*,
        record_key as sale_key
    from newest_changes
    where quarantine_reasons is not null

)

select {{ contract_columns() }}
from quarantined
