-- One row per document of an export: typed, with what can be read of a date that is only a text, and
-- why it is not fit for dim_papers. All the rules of a paper are here; int_papers__normalized
-- stores the result.
{%- set months = 'JanFebMarAprMayJunJulAugSepOctNovDec' %}
{%- set month = '(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)' %}
with papers as (

    select * from {{ ref('stg_literature__papers') }}

),

dated as (

    select
        papers.*,
        coalesce(cast(published_at as date), {{ safe_date('published_text') }}) as published_date,
        -- '2001 Jul-Aug', '2013-07', '1998 Dec-1999 Jan', 'Dec 1998-Jan 1999', '2013 Spring', '1978-1979':
        -- where it begins.
        cast(
            nullif(
                regexp_substr(regexp_substr(published_text, '(^|[^0-9])[0-9]{4}([^0-9]|$)'), '[0-9]{4}'), ''
            ) as integer
        ) as year_in_text,
        case
            when published_text ~ '^[0-9]{4}-(0[1-9]|1[0-2])([^0-9]|$)'
                then cast(substring(published_text, 6, 2) as integer)
            when published_text ~ '^[0-9]{4} {{ month }}'
                then (position(substring(published_text, 6, 3) in '{{ months }}') + 2) / 3
            when published_text ~ '^{{ month }}.*[^0-9][0-9]{4}([^0-9]|$)'
                then (position(left(published_text, 3) in '{{ months }}') + 2) / 3
        end as month_in_text
    from papers

),

-- PubMed keeps several versions of some papers: the newest one of an export counts.
ranked as (

    select
        dated.*,
        row_number() over (
            partition by _batch_id, pmid
            order by pmid_version desc nulls last, updated_at desc nulls last, paper_id asc
        ) as version_rank
    from dated

),

checked as (

    select
        ranked.*,
        case when paper_id ~ '^[0-9a-f]{24}$' then '' else ',invalid_paper_id' end
        || case
            when title is not null then ''
            when title_type in ('object', 'array') then ',invalid_title'
            else ',missing_title'
        end
        || case when pmid is not null and version_rank > 1 then ',duplicate_pmid' else '' end
        {%- for field in ['authors', 'keywords', 'data_files'] %}
        || case when {{ field }}_type not in ('array', 'null') then ',{{ field }}_not_a_list' else '' end
        {%- endfor %} as reasons
    from ranked

),

final as (

    select
        ---------- keys
        {{ hash_key('paper_id') }} as paper_key,
        paper_id,
        left(pmid, 32) as pmid,
        pmid_version,
        left(doi, 256) as doi,

        ---------- text
        title,
        abstract,
        left(journal_title, 512) as journal_title,
        left(journal_issn, 16) as journal_issn,
        left(language_code, 16) as language_code,
        left(design, 256) as design,

        ---------- numerics
        sample_size,
        p_value,
        left(source_p_value, 64) as source_p_value,

        ---------- dates and times, UTC
        published_date,
        left(published_text, 256) as published_text,
        coalesce(cast(extract(year from published_date) as integer), year_in_text) as published_year,
        coalesce(cast(extract(month from published_date) as integer), month_in_text) as published_month,
        created_at,
        updated_at,

        ---------- machine-readable codes with commas between; null: fit for dim_papers
        nullif(substring(reasons, 2), '') as quarantine_reasons,

        ---------- load
        _batch_id,
        _loaded_at
    from checked

)

select * from final
