-- One row per keyword of a paper in dim_papers, in lower case, repeated and empty ones left out:
-- what bridge_paper_keywords shall hold.
with papers as (

    select * from {{ ref('int_papers__current') }}
    where quarantine_reasons is null

),

keywords as (

    select
        _batch_id,
        paper_id,
        left(lower(keyword), 256) as keyword,
        left(keyword, 256) as source_keyword,
        keyword_position
    from {{ ref('stg_literature__paper_keywords') }}
    where keyword is not null

),

ranked as (

    select
        papers.paper_key,
        papers.paper_id,
        keywords.keyword,
        keywords.source_keyword,
        keywords.keyword_position,
        row_number() over (partition by papers.paper_id, keywords.keyword order by keywords.keyword_position)
            as occurrence
    from keywords
    inner join papers
        on
            keywords._batch_id = papers._batch_id
            and keywords.paper_id = papers.paper_id

)

select
    {{ hash_key("paper_id || '|' || keyword") }} as paper_keyword_key,
    paper_key,
    paper_id,
    keyword,
    source_keyword,
    keyword_position
from ranked
where occurrence = 1
