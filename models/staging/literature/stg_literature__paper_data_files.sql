with source as (

    select * from {{ source('literature', 'papers') }}

),

elements as (

    select
        {{ json_text('document', ['_id', '$oid']) }} as paper_id,
        position + 1 as file_position,
        {{ mongo_scalar('data_file', ['name']) }} as file_name,
        {{ mongo_scalar('data_file', ['location']) }} as file_location,
        {{ mongo_scalar('data_file', ['size']) }} as source_file_bytes,
        {{ mongo_scalar('data_file', ['checksum', 'algorithm']) }} as checksum_algorithm,
        {{ mongo_scalar('data_file', ['checksum', 'value']) }} as checksum,
        {{ mongo_scalar('data_file', ['experiment_id']) }} as experiment_id,
        _batch_id,
        _loaded_at
    from source
    {{ json_elements('source', 'document', ['data_files'], 'data_file', 'position') }}

),

renamed as (

    select
        ---------- ids
        paper_id,
        file_position,
        {{ text_or_null('experiment_id') }} as experiment_id,

        ---------- text
        {{ text_or_null('file_name') }} as file_name,
        {{ text_or_null('file_location') }} as file_location,
        lower({{ text_or_null('checksum_algorithm') }}) as checksum_algorithm,
        lower({{ text_or_null('checksum') }}) as checksum,

        ---------- numerics
        {{ safe_bigint('source_file_bytes') }} as file_bytes,
        source_file_bytes,

        ---------- load
        _batch_id,
        _loaded_at
    from elements

)

select * from renamed
