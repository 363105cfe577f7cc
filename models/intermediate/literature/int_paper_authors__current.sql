-- One row per author of a paper in dim_papers: what bridge_paper_authors shall hold.
with papers as (

    select * from {{ ref('int_papers__current') }}
    where quarantine_reasons is null

),

authors as (

    select * from {{ ref('stg_literature__paper_authors') }}

)

select
    {{ hash_key("papers.paper_id || '|' || cast(authors.author_position as varchar(20))") }} as paper_author_key,
    papers.paper_key,
    papers.paper_id,
    authors.author_position,
    left(authors.author_name, 256) as author_name,
    authors.affiliation,
    -- 0000-0002-1825-0097, with the address of orcid.org before it or without
    case
        when authors.source_orcid ~ '[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]$' then right(authors.source_orcid, 19)
        else left(authors.source_orcid, 64)
    end as orcid
from authors
inner join papers
    on
        authors._batch_id = papers._batch_id
        and authors.paper_id = papers.paper_id
