-- One row per paper that is fit for dim_papers, and the unknown member: what dim_papers shall hold.
-- The parts of search_text are cut, because a varchar of Redshift ends at 65,535 bytes.
{%- set columns = [
    'pmid', 'pmid_version', 'doi', 'abstract', 'journal_title', 'journal_issn', 'language_code', 'design', 'sample_size',
    'p_value', 'source_p_value', 'published_date', 'published_text', 'published_year', 'published_month', 'created_at',
    'updated_at', 'deleted_at',
] %}
with papers as (

    select * from {{ ref('int_papers__current') }}
    where quarantine_reasons is null

),

authors as (

    select
        paper_key,
        left({{ joined_text('author_name', ' ', 'author_position') }}, 5000) as author_names
    from {{ ref('int_paper_authors__current') }}
    where author_position <= 50
    group by paper_key

),

keywords as (

    select
        paper_key,
        left({{ joined_text('keyword', ' ', 'keyword_position') }}, 3000) as keywords
    from {{ ref('int_paper_keywords__current') }}
    where keyword_position <= 50
    group by paper_key

),

searchable as (

    select
        papers.*,
        lower(
            left(papers.title, 1000)
            || ' ' || coalesce(authors.author_names, '')
            || ' ' || coalesce(keywords.keywords, '')
            || ' ' || coalesce(papers.journal_title, '')
            || ' ' || left(coalesce(papers.abstract, ''), 6000)
        ) as search_text
    from papers
    left join authors on papers.paper_key = authors.paper_key
    left join keywords on papers.paper_key = keywords.paper_key

)

select
    paper_key,
    paper_id,
    title,
    search_text,
    is_deleted,
    {{ columns | join(',\n    ') }}
from searchable
union all
select
    cast(-1 as bigint) as paper_key,
    '(unknown)' as paper_id,
    '(unknown)' as title,
    '(unknown)' as search_text,
    false as is_deleted,
    null as {{ columns | join(',\n    null as ') }}
