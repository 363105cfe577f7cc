-- One row per line of an order in every record of every applied batch, parsed once; replaced batch
-- by batch. Which of them count, int_orders__changes knows: it is built first, and its batches are
-- followed (depends_on: {{ ref('int_orders__changes') }}). On Redshift the rows lie where its lie.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook=[
            "{{ claim_events(follows='int_orders__changes') }}",
            "{{ delete_claimed() }}",
        ],
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['_batch_id']}, {'columns': ['record_key']}],
        dist='record_key',
        sort=['_batch_id', 'record_key'],
    )
}}

with lines as (

    select * from {{ ref('stg_shop__order_lines') }}
    where {{ is_claimed('_batch_id') }}

),

checked as (

    select
        lines.*,
        case when product_id is null then ',missing_product_id' else '' end
        || case
            when source_quantity is null then ',missing_quantity'
            when quantity is null or quantity <> trunc(quantity) then ',invalid_quantity'
            else ''
        end
        || case
            when source_amount is null then ',missing_amount'
            when amount is null or amount <> trunc(amount, 2) then ',invalid_amount'
            else ''
        end
        || {{ too_long_reason(['product_id']) }} as reasons
    from lines

)

select
    ---------- keys
    {{ hash_key("'id:' || order_id") }} as record_key,
    event_id,
    order_id,
    line_number,
    product_id,

    ---------- as the source wrote it
    left(source_quantity, 50) as source_quantity,
    left(source_amount, 50) as source_amount,

    ---------- numerics
    cast(case when quantity = trunc(quantity) then quantity end as integer) as quantity,
    cast(case when amount = trunc(amount, 2) then amount end as decimal(18, 2)) as amount,

    ---------- machine-readable codes with commas between; null: fit to be a fact
    nullif(substring(reasons, 2), '') as quarantine_reasons,

    ---------- load
    _batch_id,
    _loaded_at
from checked
