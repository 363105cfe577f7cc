-- Names stand in the rows, because those who read this cannot read the dimensions. Replaced by
-- each build, so grants made by hand are lost: give users the role instead.
with measurements as (

    select * from {{ ref('fact_measurements') }}
    where {{ is_own_experiment('experiment_id') }}

),

experiments as (

    select * from {{ ref('dim_experiments') }}

),

locations as (

    select * from {{ ref('dim_locations') }}

),

named as (

    select
        ---------- ids
        measurements.measurement_id,
        measurements.source_system,
        measurements.experiment_id,
        experiments.experiment_name,
        measurements.location_id,
        locations.location_name,

        ---------- timestamps
        measurements.measured_at,

        ---------- numerics
        measurements.temperature,
        measurements.pressure,
        measurements.humidity,
        measurements.quality_flag
    from measurements
    left join experiments on measurements.experiment_key = experiments.experiment_key
    left join locations on measurements.location_key = locations.location_key

)

select {{ contract_columns() }}
from named
