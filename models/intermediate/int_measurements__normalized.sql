-- One row per raw row of every applied batch, parsed once; rows of a superseded batch stay, with
-- _is_live false, so that what they once touched can be found. Replaced batch by batch.
-- On Redshift the versions of a measurement meet on one slice, and a build reads a few batches.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook=[
            "{{ claim_events(source_tables=measurement_tables()) }}",
            "{{ delete_claimed() }}",
        ],
        post_hook="{{ analyze_table(this) }}",
        indexes=[
            {'columns': ['_batch_id']},
            {'columns': ['measurement_key']},
            {'columns': ['experiment_id', 'measured_at']},
            {'columns': ['location_id', 'measured_at']},
        ],
        dist='measurement_key',
        sort=['_batch_id', 'measurement_key'],
    )
}}

{{ applied_rows(ref('int_measurements__validated')) }}
