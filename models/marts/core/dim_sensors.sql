-- One row per sensor with a fact. New readings, and such as were withdrawn, move its first and last
-- one: the sensors that they touch are computed again. Facts without one have the key -1, by index.
-- On Redshift a copy on each node (dist all).
{%- set newest_readings -%}
select facts.measurement_key
from {{ ref('fact_measurements') }} as facts
inner join (
    select
        sensor_key,
        max(measured_at) as measured_at
    from {{ ref('fact_measurements') }}
    where sensor_key in ({{ kept(affected_sensors()) }})
    group by sensor_key
) as newest on facts.sensor_key = newest.sensor_key and facts.measured_at = newest.measured_at
{%- endset -%}
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='fact_measurements') }}",
            "{{ delete_affected('sensor_key', affected_sensors()) }}",
        ],
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['sensor_key']}],
        dist='all',
        sort='sensor_id',
    )
}}

with {{ current_measurements(newest_readings) }},

summarized as (

    select
        sensor_key,
        sensor_id,
        min(measured_at) as first_reading_at,
        max(measured_at) as last_reading_at,
        count(*) as reading_count
    from {{ ref('fact_measurements') }}
    where sensor_key >= 0 {% if is_incremental() %} and sensor_key in ({{ kept(affected_sensors()) }}) {% endif %}
    group by sensor_key, sensor_id

),

placed as (

    select
        summarized.*,
        readings.latitude,
        readings.longitude
    from summarized
    inner join current_measurements as readings
        on summarized.sensor_id = readings.sensor_id and summarized.last_reading_at = readings.measured_at
    where readings.quarantine_reasons is null

),

-- Only a first build inserts it.
unknown as (  -- noqa: ST03

    select
        cast(-1 as bigint) as sensor_key,
        '(unknown)' as sensor_id,
        cast(null as timestamp) as first_reading_at,
        cast(null as timestamp) as last_reading_at,
        0 as reading_count,
        cast(null as decimal(18, 8)) as latitude,
        cast(null as decimal(18, 8)) as longitude

)

select {{ contract_columns() }}
from placed
{%- if not is_incremental() %}
union all
select {{ contract_columns() }}
from unknown
{%- endif %}
