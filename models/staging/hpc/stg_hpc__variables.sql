with source as (

    select * from {{ source('hpc', 'variables') }}

),

renamed as (

    select
        ---------- ids
        experiment_id,
        file_id,
        variable,

        ---------- text
        role,
        standard_name,
        long_name,
        unit as source_unit,
        data_type,
        dimensions,
        attributes,

        ---------- numerics
        value_count,
        missing_count,
        staged_count,

        ---------- load
        _batch_id,
        _loaded_at
    from source

)

select * from renamed
