-- One row per raw row of every measurement source. A new source is one more select, and one more
-- name in measurement_tables.
--
-- A sensor's reading comes in exports of its table and through the stream: it is one measurement,
-- known by sensor and time (identity_system, measurement_id). Of several copies one counts: that
-- of the lowest copy_rank, then the newest (current_measurements). 1: a table's own copy, which may
-- have been corrected there; 2: what was sent; 3: a copy whose time to live was over when it was
-- exported.
{%- set reading_columns = [
    'sensor_id', 'experiment_id', 'latitude', 'longitude', 'source_measured_at', 'source_temperature',
    'source_humidity', 'source_pressure', 'temperature', 'humidity', 'pressure', 'measured_at', '_batch_id',
    '_loaded_at',
] %}
{%- set reading_units = {'temperature': 'degC', 'humidity': '%', 'pressure': 'hPa'} %}
with research_db as (

    select * from {{ ref('stg_research_db__measurements') }}

),

exported_readings as (

    select
        cast('sensors' as varchar(32)) as source_system,
        case when is_expired then 3 else 1 end as copy_rank,
        cast(case when is_expired then 'expired' end as varchar(32)) as withdrawn,
        cast(null as varchar(40)) as source_updated_at,
        exported_at as updated_at,
        {{ reading_columns | join(',\n        ') }}
    from {{ ref('stg_sensors__readings_export') }}

),

-- A deletion of an item that was to be deleted for its age withdraws nothing.
changed_readings as (

    select
        cast('sensors' as varchar(32)) as source_system,
        case when is_expired then 3 else 1 end as copy_rank,
        cast(case when is_expired then 'expired' when is_deleted then 'deleted_at_source' end as varchar(32))
            as withdrawn,
        source_written_at as source_updated_at,
        written_at as updated_at,
        {{ reading_columns | join(',\n        ') }}
    from {{ ref('stg_sensors__readings_changes') }}

),

streamed_readings as (

    select
        cast('stream' as varchar(32)) as source_system,
        2 as copy_rank,
        cast(null as varchar(32)) as withdrawn,
        cast(null as varchar(40)) as source_updated_at,
        cast(null as timestamp) as updated_at,
        {{ reading_columns | join(',\n        ') }}
    from {{ ref('stg_stream__readings') }}

),

readings as (

    select * from exported_readings
    union all
    select * from changed_readings
    union all
    select * from streamed_readings

),

unioned as (

    select
        source_system,
        cast('sensors' as varchar(32)) as identity_system,
        copy_rank,
        withdrawn,
        cast(
            sensor_id || '@' || coalesce(
                to_char(measured_at, 'YYYY-MM-DD') || 'T' || to_char(measured_at, 'HH24:MI:SS.US') || 'Z',
                source_measured_at
            ) as varchar(80)
        ) as measurement_id,
        cast(coalesce(experiment_id, '(unknown)') as varchar(36)) as experiment_id,
        cast(null as varchar(36)) as location_id,
        sensor_id,
        latitude,
        longitude,
        cast(coalesce(sensor_id, '') || '|' || coalesce(source_measured_at, '') as varchar(128)) as source_key,
        source_measured_at,
        source_updated_at,
        {% for quantity, unit in reading_units.items() -%}
        source_{{ quantity }},
        cast(case when source_{{ quantity }} is not null then '{{ unit }}' end as varchar(16))
            as source_{{ quantity }}_unit,
        {{ quantity }},
        {% endfor -%}
        measured_at,
        updated_at,
        _batch_id,
        _loaded_at
    from readings
    union all
    select
        cast('research_db' as varchar(32)) as source_system,
        cast('research_db' as varchar(32)) as identity_system,
        1 as copy_rank,
        cast(null as varchar(32)) as withdrawn,
        measurement_id,
        experiment_id,
        location_id,
        cast(null as varchar(36)) as sensor_id,
        cast(null as decimal(18, 8)) as latitude,
        cast(null as decimal(18, 8)) as longitude,
        cast(measurement_id as varchar(128)) as source_key,
        source_measured_at,
        source_updated_at,
        {% for quantity in reading_units -%}
        source_{{ quantity }},
        source_{{ quantity }}_unit,
        {{ quantity }},
        {% endfor -%}
        measured_at,
        updated_at,
        _batch_id,
        _loaded_at
    from research_db

)

select * from unioned
