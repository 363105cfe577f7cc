-- One row per value that is far from what its sensor says at that hour of the day. Median and MAD
-- (the median of the distances to it) rather than mean and deviation: half of the values would have
-- to be wrong to move them, while one outlier moves a mean, and widens a deviation until it no
-- longer looks like one. Medians are the middle values by row number: exact decimals, the same on
-- every engine, where the engines' own functions interpolate in double precision.
-- The groups (sensor, hour of day) that new rows touch are judged again, and no others. On Redshift
-- spread evenly: small, and looked up by sensor.
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='fact_measurements') }}",
            "{{ delete_affected('sensor_key, hour_of_day', affected_hours()) }}",
        ],
        indexes=[{'columns': ['sensor_key', 'hour_of_day']}, {'columns': ['measurement_key']}],
        dist='even',
        sort=['sensor_id', 'measured_at'],
    )
}}

{%- set group = 'partition by sensor_key, hour_of_day, quantity' %}
with rules as (

    select * from {{ ref('anomaly_rules') }}

),

hours as (

    select
        *,
        cast(extract(hour from measured_at) as integer) as hour_of_day
    from {{ ref('fact_measurements') }}
    where sensor_key >= 0

),

{% if is_incremental() -%}
affected as (

    {{ kept(affected_hours()) | indent(4) }}

),

{% endif -%}
readings as (

    select hours.*
    from hours
    {% if is_incremental() %}
    inner join affected
        on hours.sensor_key = affected.sensor_key and hours.hour_of_day = affected.hour_of_day
    {% endif %}

),

{% for quantity in quantities() -%}
{{ quantity }}_values as (

    select
        readings.measurement_key,
        readings.measurement_id,
        readings.sensor_key,
        readings.sensor_id,
        readings.measured_at,
        readings.hour_of_day,
        rules.quantity,
        readings.{{ quantity }} as measured_value,
        readings._batch_id,
        readings._loaded_at
    from readings
    inner join rules on rules.quantity = '{{ quantity }}'
    where readings.{{ quantity }} is not null

),

{% endfor -%}
measured as (

    {% for quantity in quantities() -%}
    select * from {{ quantity }}_values
    {%- if not loop.last %}
    union all
    {% endif -%}
    {%- endfor %}

),

counted as (

    select
        measured.*,
        count(*) over ({{ group }}) as value_count
    from measured

),

placed as (

    select
        counted.*,
        row_number() over ({{ group }} order by measured_value, measurement_key)
        in ((value_count + 1) / 2, (value_count + 2) / 2) as is_middle
    from counted

),

-- Window functions, not joins to grouped medians: a planner expects one row of such a group.
centred as (

    select
        placed.*,
        cast(
            (
                min(case when is_middle then measured_value end) over ({{ group }})
                + max(case when is_middle then measured_value end) over ({{ group }})
            ) * 0.5 as decimal(12, 5)
        ) as median_value
    from placed

),

distances as (

    select
        centred.*,
        cast(measured_value - median_value as decimal(12, 5)) as distance
    from centred

),

placed_distances as (

    select
        distances.*,
        row_number() over ({{ group }} order by abs(distance), measurement_key)
        in ((value_count + 1) / 2, (value_count + 2) / 2) as is_middle_distance
    from distances

),

deviations as (

    select
        placed_distances.*,
        cast(
            (
                min(case when is_middle_distance then abs(distance) end) over ({{ group }})
                + max(case when is_middle_distance then abs(distance) end) over ({{ group }})
            ) * 0.5 as decimal(13, 6)
        ) as median_deviation
    from placed_distances

),

-- Where more than half of the values are equal the MAD is 0, and says nothing of the others.
judged as (

    select
        deviations.*,
        cast(
            cast(rules.factor * deviations.distance as double precision)
            / cast(deviations.median_deviation as double precision) as decimal(18, 4)
        ) as robust_z
    from deviations
    inner join rules on deviations.quantity = rules.quantity
    where
        deviations.median_deviation > 0
        and deviations.value_count >= rules.minimum_count
        and rules.factor * abs(deviations.distance) > rules.threshold * deviations.median_deviation

)

select {{ contract_columns() }}
from judged
