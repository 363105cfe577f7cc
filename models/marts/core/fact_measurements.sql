-- One row per measurement. On Redshift the rows of one experiment lie together (most questions
-- group by it) and in order of time (most questions restrict it).
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='int_measurements__normalized') }}",
            "{{ delete_affected('measurement_key', affected_facts()) }}",
        ],
        post_hook=[
            "{{ remember_versions(ref('dim_experiments'), 'experiment_id', 'experiment_key') }}",
            "{{ remember_versions(ref('dim_locations'), 'location_id', 'location_key') }}",
            "{{ analyze_table(this) }}",
        ],
        indexes=[
            {'columns': ['measurement_key']},
            {'columns': ['experiment_id', 'measured_at']},
            {'columns': ['time_key']},
            {'columns': ['sensor_key', 'measured_at']},
        ],
        dist='experiment_id',
        sort=['measured_at', 'experiment_id'],
    )
}}

with {{ current_measurements(kept(affected_facts())) }},

experiments as (

    select * from {{ ref('dim_experiments') }}

),

locations as (

    select * from {{ ref('dim_locations') }}

),

keyed as (

    select
        ---------- keys
        measurements.measurement_key,
        measurements.measurement_id,
        measurements.source_system,
        coalesce(experiments.experiment_key, -1) as experiment_key,
        measurements.experiment_id,
        coalesce(locations.location_key, -1) as location_key,
        measurements.location_id,
        {{ sensor_key('measurements.sensor_id') }} as sensor_key,
        measurements.sensor_id,
        {{ epoch_minutes('measurements.measured_at') }} as time_key,
        cast(to_char(measurements.measured_at, 'YYYYMMDD') as integer) as date_key,

        ---------- timestamps
        measurements.measured_at,

        ---------- numerics
        measurements.temperature,
        measurements.pressure,
        measurements.humidity,
        measurements.quality_flag,
        1 as measurement_count,

        ---------- load
        measurements._batch_id,
        measurements._loaded_at
    from current_measurements as measurements
    left join experiments
        on
            measurements.experiment_id = experiments.experiment_id
            and measurements.measured_at >= experiments.valid_from
            and measurements.measured_at < experiments.valid_to
    left join locations
        on
            measurements.location_id = locations.location_id
            and measurements.measured_at >= locations.valid_from
            and measurements.measured_at < locations.valid_to
    where measurements.quarantine_reasons is null

)

select {{ contract_columns() }}
from keyed
