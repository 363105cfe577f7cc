-- One row per change of an order in every applied batch, parsed once; replaced batch by batch.
-- On Redshift the changes of a key meet on one slice, and a build reads a few batches.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook=[
            "{{ claim_events(source_tables=['shop.orders']) }}",
            "{{ delete_claimed() }}",
        ],
        post_hook="{{ analyze_table(this) }}",
        indexes=[
            {'columns': ['_batch_id']},
            {'columns': ['record_key']},
            {'columns': ['user_id', 'ordered_at']},
        ],
        dist='record_key',
        sort=['_batch_id', 'record_key'],
    )
}}

{{ applied_rows(ref('int_orders__validated')) }}
