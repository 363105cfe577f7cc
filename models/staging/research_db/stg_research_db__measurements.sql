with source as (

    {{ rds_rows(
        'measurements',
        columns=[
            'measurement_id', 'experiment_id', 'location_id', 'measured_at', 'temperature', 'temperature_unit',
            'humidity', 'humidity_unit', 'pressure', 'pressure_unit', 'updated_at',
        ],
        times=['measured_at', 'updated_at'],
        numbers=['temperature', 'humidity', 'pressure'],
    ) | indent(4) }}

),

trimmed as (

    select
        {% for column in [
            'measurement_id', 'experiment_id', 'location_id', 'measured_at', 'temperature',
            'temperature_unit', 'humidity', 'humidity_unit', 'pressure', 'pressure_unit', 'updated_at',
        ] -%}
        {{ text_or_null(column, null_text='NA') }} as {{ column }},
        {% endfor -%}
        _batch_id,
        _loaded_at
    from source

),

renamed as (

    select
        ---------- ids
        measurement_id,
        experiment_id,
        location_id,

        ---------- as the source wrote it
        measured_at as source_measured_at,
        updated_at as source_updated_at,
        temperature as source_temperature,
        temperature_unit as source_temperature_unit,
        humidity as source_humidity,
        humidity_unit as source_humidity_unit,
        pressure as source_pressure,
        pressure_unit as source_pressure_unit,

        ---------- numerics, in the source's unit
        {{ safe_decimal('temperature') }} as temperature,
        {{ safe_decimal('humidity') }} as humidity,
        {{ safe_decimal('pressure') }} as pressure,

        ---------- timestamps
        {{ safe_timestamp('measured_at') }} as measured_at,
        {{ safe_timestamp('updated_at') }} as updated_at,

        ---------- load
        _batch_id,
        _loaded_at
    from trimmed

)

select * from renamed
