-- One row per raw row of every applied batch; rows of a superseded batch stay, with _is_live false,
-- so that what they once touched can be found. Replaced batch by batch.
-- On Redshift the rows of a file meet on one slice, and a build reads a few batches.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook=[
            "{{ claim_events(source_tables=['hpc.observations']) }}",
            "{{ delete_claimed() }}",
        ],
        post_hook="{{ analyze_table(this) }}",
        indexes=[
            {'columns': ['_batch_id']},
            {'columns': ['file_key']},
            {'columns': ['experiment_id', 'observed_at']},
        ],
        dist='file_key',
        sort=['_batch_id', 'file_key'],
    )
}}

{{ applied_rows(ref('int_observations__validated')) }}
