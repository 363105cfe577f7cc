-- One row per line of an order. On Redshift the rows of one order lie together, in order of time.
{%- set affected -%}
affected_records(ref('int_orders__changes'))
{%- endset %}
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='int_order_lines__parsed') }}",
            "{{ delete_affected('order_key', 'select record_key as order_key from (' ~ " ~ affected ~ " ~ ') as r') }}",
        ],
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['order_line_key']}, {'columns': ['order_key']}, {'columns': ['ordered_at']}],
        dist='order_key',
        sort=['ordered_at'],
    )
}}

with {{ order_lines(kept(affected_records(ref('int_orders__changes')))) }},

keyed as (

    select
        ---------- keys
        order_line_key,
        record_key as order_key,
        order_id,
        line_number,
        product_id,
        cast(to_char(ordered_at, 'YYYYMMDD') as integer) as date_key,

        ---------- timestamps
        ordered_at,

        ---------- numerics
        quantity,
        amount,

        ---------- load
        _batch_id,
        _loaded_at
    from order_lines
    where quarantine_reasons is null

)

select {{ contract_columns() }}
from keyed
