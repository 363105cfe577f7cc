with source as (

    select * from {{ source('hpc', 'observations') }}

),

renamed as (

    select
        ---------- ids
        experiment_id,
        file_id,
        variable,
        position,

        ---------- text
        standard_name,
        unit as source_unit,
        station,
        coordinates,
        quality_flag,

        ---------- numerics
        value as source_value,
        latitude,
        longitude,
        height_m,

        ---------- booleans
        is_in_valid_range,

        ---------- timestamps
        observed_at,

        ---------- load
        _batch_id,
        _loaded_at
    from source

)

select * from renamed
