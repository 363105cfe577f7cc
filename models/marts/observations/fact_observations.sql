-- One row per observed value. On Redshift the rows of one experiment lie together (most questions
-- group by it) and in order of time (most questions restrict it).
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='int_observations__normalized') }}",
            "{{ delete_affected('file_key', affected_observation_facts()) }}",
        ],
        post_hook=[
            "{{ remember_versions(ref('dim_experiments'), 'experiment_id', 'experiment_key') }}",
            "{{ remember_versions(ref('dim_locations'), 'location_id', 'location_key') }}",
            "{{ analyze_table(this) }}",
        ],
        indexes=[
            {'columns': ['observation_key']},
            {'columns': ['file_key']},
            {'columns': ['experiment_id', 'observed_at']},
            {'columns': ['time_key']},
        ],
        dist='experiment_id',
        sort=['observed_at', 'experiment_id'],
    )
}}

with {{ current_observations(kept(affected_observation_facts())) }},

experiments as (

    select * from {{ ref('dim_experiments') }}

),

locations as (

    select * from {{ ref('dim_locations') }}

),

keyed as (

    select
        ---------- keys
        observations.observation_key,
        observations.source_system,
        observations.variable_key,
        observations.file_key,
        observations.position,
        coalesce(experiments.experiment_key, -1) as experiment_key,
        observations.experiment_id,
        coalesce(locations.location_key, -1) as location_key,
        coalesce({{ epoch_minutes('observations.observed_at') }}, {{ unknown_time_key() }}) as time_key,
        coalesce(cast(to_char(observations.observed_at, 'YYYYMMDD') as integer), -1) as date_key,

        ---------- timestamps
        observations.observed_at,

        ---------- place
        observations.station,
        observations.latitude,
        observations.longitude,
        observations.height_m,
        observations.coordinates,

        ---------- numerics
        observations.value,
        observations.source_value,
        observations.source_unit,
        observations.quality_flag,
        1 as observation_count,

        ---------- load
        observations._batch_id,
        observations._loaded_at
    from current_observations as observations
    left join experiments
        on
            observations.experiment_id = experiments.experiment_id
            and observations.observed_at >= experiments.valid_from
            and observations.observed_at < experiments.valid_to
    left join locations
        on
            observations.station = locations.location_id
            and observations.observed_at >= locations.valid_from
            and observations.observed_at < locations.valid_to
    where observations.quarantine_reasons is null

)

select {{ contract_columns() }}
from keyed
