-- One row per batch, file and variable of the observations applied: small, so that dim_variables
-- and hpc_files need not read every value. Replaced batch by batch.
{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='append_new_columns',
        pre_hook=[
            "{{ claim_events(follows='int_observations__normalized') }}",
            "{{ delete_claimed() }}",
        ],
        dist='even',
        sort='_batch_id',
    )
}}

with observations as (

    select * from {{ ref('int_observations__normalized') }}
    where {{ is_claimed('_batch_id') }}

)

select
    variable_key,
    file_key,
    source_system,
    experiment_id,
    file_id,
    variable,
    standard_name,
    canonical_unit,
    -- Of a quarantined value only the place counts.
    max(case when quarantine_reasons is null then 1 else 0 end) = 1 as has_facts,
    _batch_id,
    max(_loaded_at) as _loaded_at,
    _is_live
from observations
group by
    variable_key, file_key, source_system, experiment_id, file_id, variable, standard_name, canonical_unit,
    _batch_id, _is_live
