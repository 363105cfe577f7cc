-- Batches that not every model has applied which follows their table. A day's are counted when a build
-- of a later day has ended: until then they may just wait for it.
with lineage as (

    select
        *,
        cast(loaded_at as date) as day
    from {{ ref('batch_lineage') }}

),

last_build as (

    select cast(max(started_at) as date) as day
    from {{ source('ledger', 'builds') }}
    where finished_at is not null

)

select
    lineage.source_table as table_name,
    lineage.day,
    'lineage' as kind,
    'batches_not_in_marts' as measure,
    cast(count(distinct case when lineage.applied_at is null then lineage.batch_id end) as decimal(18, 4)) as value
from lineage
inner join last_build on lineage.day < last_build.day
group by lineage.source_table, lineage.day
