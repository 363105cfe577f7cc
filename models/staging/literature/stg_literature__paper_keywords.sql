with source as (

    select * from {{ source('literature', 'papers') }}

),

elements as (

    select
        {{ json_text('document', ['_id', '$oid']) }} as paper_id,
        position + 1 as keyword_position,
        {{ mongo_scalar('element', []) }} as keyword,
        _batch_id,
        _loaded_at
    from source
    {{ json_elements('source', 'document', ['keywords'], 'element', 'position') }}

),

renamed as (

    select
        ---------- ids
        paper_id,
        keyword_position,

        ---------- text
        {{ text_or_null('keyword') }} as keyword,

        ---------- load
        _batch_id,
        _loaded_at
    from elements

)

select * from renamed
