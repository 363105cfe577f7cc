with source as (

    select * from {{ source('literature', 'papers') }}

),

-- Scalars as texts: a value may be a text in one document and something else in the next.
texts as (

    select
        {{ json_text('document', ['_id', '$oid']) }} as paper_id,
        {{ mongo_scalar('document', ['pmid']) }} as pmid,
        {{ mongo_scalar('document', ['version']) }} as source_version,
        {{ mongo_scalar('document', ['doi']) }} as doi,
        {{ mongo_scalar('document', ['title']) }} as title,
        {{ mongo_scalar('document', ['abstract']) }} as abstract,
        {{ mongo_scalar('document', ['journal', 'title']) }} as journal_title,
        {{ mongo_scalar('document', ['journal', 'issn']) }} as journal_issn,
        {{ mongo_scalar('document', ['language']) }} as language_code,
        {{ mongo_scalar('document', ['methodology', 'design']) }} as design,
        {{ mongo_scalar('document', ['methodology', 'sample_size']) }} as source_sample_size,
        {{ mongo_scalar('document', ['methodology', 'p_value']) }} as source_p_value,
        {{ mongo_scalar('document', ['published']) }} as published_text,
        {{ mongo_date('document', ['published']) }} as source_published_at,
        {{ mongo_date('document', ['created_at']) }} as source_created_at,
        {{ mongo_date('document', ['updated_at']) }} as source_updated_at,
        {% for field in ['title', 'authors', 'keywords', 'data_files'] -%}
        {{ json_type('document', [field]) }} as {{ field }}_type,
        {% endfor -%}
        _batch_id,
        _loaded_at
    from source

),

renamed as (

    select
        ---------- ids
        paper_id,
        {{ text_or_null('pmid') }} as pmid,
        {{ text_or_null('doi') }} as doi,

        ---------- text
        {{ text_or_null('title') }} as title,
        {{ text_or_null('abstract') }} as abstract,
        {{ text_or_null('journal_title') }} as journal_title,
        {{ text_or_null('journal_issn') }} as journal_issn,
        {{ text_or_null('language_code') }} as language_code,
        {{ text_or_null('design') }} as design,
        {{ text_or_null('published_text') }} as published_text,

        ---------- numerics
        {{ safe_bigint('source_version') }} as pmid_version,
        {{ safe_bigint('source_sample_size') }} as sample_size,
        {{ safe_decimal('source_p_value') }} as p_value,

        ---------- dates and times
        {{ mongo_timestamp('source_published_at') }} as published_at,
        {{ mongo_timestamp('source_created_at') }} as created_at,
        {{ mongo_timestamp('source_updated_at') }} as updated_at,

        ---------- as the source wrote it
        source_version,
        source_sample_size,
        source_p_value,
        source_published_at,
        source_created_at,
        source_updated_at,

        ---------- what stands in the fields: string, array …
        title_type,
        authors_type,
        keywords_type,
        data_files_type,

        ---------- load
        _batch_id,
        _loaded_at
    from texts

)

select * from renamed
