-- One row per line of a good order that is not fit to be a fact, with the reason.
-- On Redshift spread evenly: never joined, looked up by key.
{%- set affected -%}
affected_records(ref('int_orders__changes'))
{%- endset %}
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='int_order_lines__parsed') }}",
            "{{ delete_affected('order_key', 'select record_key as order_key from (' ~ " ~ affected ~ " ~ ') as r') }}",
        ],
        indexes=[{'columns': ['order_line_key']}, {'columns': ['order_key']}],
        dist='even',
        sort='order_line_key',
    )
}}

with {{ order_lines(kept(affected_records(ref('int_orders__changes')))) }},

quarantined as (

    select
        order_lines.*,
        record_key as order_key
    from order_lines
    where quarantine_reasons is not null

)

select {{ contract_columns() }}
from quarantined
