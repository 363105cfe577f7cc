with source as (

    select * from {{ source('research_db', 'measurements_parquet') }}

),

-- A snapshot's export writes times as PostgreSQL does: of an offset, only the hours.
trimmed as (

    select
        {% for column in [
            'measurement_id', 'experiment_id', 'location_id', 'temperature_unit', 'humidity_unit', 'pressure_unit',
        ] -%}
        {{ text_or_null(column) }} as {{ column }},
        {% endfor -%}
        {% for column in ['measured_at', 'updated_at'] -%}
        cast(
            {{ text_or_null(column) }}
            || case when {{ column }} ~ ':[0-9]{2}([.][0-9]+)?[+-][0-9]{2}$' then '00' else '' end as varchar(40)
        ) as {{ column }},
        {% endfor -%}
        temperature,
        humidity,
        pressure,
        _batch_id,
        _loaded_at
    from source

),

-- The columns of stg_research_db__measurements, in its order: the same records by another way.
renamed as (

    select
        ---------- ids
        measurement_id,
        experiment_id,
        location_id,

        ---------- as the source wrote it
        measured_at as source_measured_at,
        updated_at as source_updated_at,
        {% for quantity in ['temperature', 'humidity', 'pressure'] -%}
        cast({{ quantity }} as varchar(32)) as source_{{ quantity }},
        {{ quantity }}_unit as source_{{ quantity }}_unit,
        {% endfor %}
        ---------- numerics, in the source's unit
        cast(temperature as decimal(18, 8)) as temperature,
        cast(humidity as decimal(18, 8)) as humidity,
        cast(pressure as decimal(18, 8)) as pressure,

        ---------- timestamps
        {{ safe_timestamp('measured_at') }} as measured_at,
        {{ safe_timestamp('updated_at') }} as updated_at,

        ---------- load
        _batch_id,
        _loaded_at
    from trimmed

)

select * from renamed
