-- One row per document of every applied export, parsed once; those of a superseded one stay.
-- Replaced export by export. On Redshift a build reads the newest few exports.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook=[
            "{{ claim_events(source_tables=['literature.papers']) }}",
            "{{ delete_claimed() }}",
        ],
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['_batch_id']}],
        dist='paper_key',
        sort=['_batch_id', 'paper_key'],
    )
}}

select * from {{ ref('int_papers__validated') }}
where {{ is_claimed('_batch_id') }}
