with source as (

    {{ rds_rows(
        'locations',
        columns=[
            'location_id', 'location_name', 'latitude', 'longitude', 'elevation_m', 'country', 'timezone',
        ],
        numbers=['latitude', 'longitude', 'elevation_m'],
    ) | indent(4) }}

),

renamed as (

    select
        ---------- ids
        {{ text_or_null('location_id') }} as location_id,

        ---------- text
        {{ text_or_null('location_name') }} as location_name,
        {{ text_or_null('country') }} as country,
        {{ text_or_null('timezone') }} as timezone,

        ---------- numerics
        {{ safe_decimal(text_or_null('latitude')) }} as latitude,
        {{ safe_decimal(text_or_null('longitude')) }} as longitude,
        {{ safe_decimal(text_or_null('elevation_m')) }} as elevation_m,

        ---------- load
        _batch_id,
        _loaded_at
    from source

)

select * from renamed
