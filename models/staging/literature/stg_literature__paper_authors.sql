with source as (

    select * from {{ source('literature', 'papers') }}

),

-- An author is an object, or only a name.
elements as (

    select
        {{ json_text('document', ['_id', '$oid']) }} as paper_id,
        position + 1 as author_position,
        coalesce({{ mongo_scalar('author', ['name']) }}, {{ mongo_scalar('author', []) }}) as author_name,
        {{ mongo_scalar('author', ['affiliation']) }} as affiliation,
        {{ mongo_scalar('author', ['orcid']) }} as source_orcid,
        _batch_id,
        _loaded_at
    from source
    {{ json_elements('source', 'document', ['authors'], 'author', 'position') }}

),

renamed as (

    select
        ---------- ids
        paper_id,
        author_position,

        ---------- text
        {{ text_or_null('author_name') }} as author_name,
        {{ text_or_null('affiliation') }} as affiliation,
        {{ text_or_null('source_orcid') }} as source_orcid,

        ---------- load
        _batch_id,
        _loaded_at
    from elements

)

select * from renamed
