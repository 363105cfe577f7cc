-- Balance of papers. Each one that a live export has is in dim_papers or quarantined, never both, and
-- nothing else is in either; and the documents of the live exports are those, and older ones.
with exports as (

    {{ live_exports('int_papers__normalized') | indent(4) }}

),

documents as (

    select
        papers.paper_id,
        papers.paper_key
    from {{ ref('int_papers__normalized') }} as papers
    inner join exports on papers._batch_id = exports.batch_id

),

places as (

    select
        paper_key,
        1 as is_fit,
        0 as is_quarantined,
        0 as documents
    from {{ ref('dim_papers') }}
    where paper_key <> -1
    union all
    select
        paper_key,
        0 as is_fit,
        1 as is_quarantined,
        0 as documents
    from {{ ref('quarantined_papers') }}
    union all
    select
        paper_key,
        0 as is_fit,
        0 as is_quarantined,
        1 as documents
    from documents

),

wrong as (

    select 'paper ' || cast(paper_key as varchar(20)) as what
    from places
    group by paper_key
    having sum(is_fit) + sum(is_quarantined) <> 1 or sum(documents) = 0

),

-- The loader's own count of the exports' rows.
loaded as (

    select coalesce(sum(batches.rows_loaded), 0) as row_count
    from exports
    inner join {{ source('ledger', 'batches') }} as batches on exports.batch_id = batches.batch_id

),

counted as (

    select count(*) as row_count from documents

)

select what
from wrong
union all
select 'documents of live exports' as what
from loaded
inner join counted on loaded.row_count <> counted.row_count
