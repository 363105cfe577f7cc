with source as (

    select * from {{ source('hpc', 'files') }}

),

renamed as (

    select
        ---------- ids
        experiment_id,
        file_id,

        ---------- text
        file_name,
        format as file_format,
        archive_bucket,
        archive_key,
        attributes,

        ---------- numerics
        bytes as file_bytes,
        value_count,
        missing_count,
        staged_count,

        ---------- booleans
        is_staged,

        ---------- load
        _batch_id,
        _loaded_at
    from source

)

select * from renamed
