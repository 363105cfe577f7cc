-- One row per paper known so far, as the newest export that has it: of one that vanished the last
-- known state, with is_deleted.
with exports as (

    {{ live_exports('int_papers__normalized') | indent(4) }}

),

papers as (

    select * from {{ ref('int_papers__normalized') }}

),

ranked as (

    select
        papers.*,
        exports.next_version_at as deleted_at,
        exports.next_version_at is not null as is_deleted,
        row_number() over (partition by papers.paper_id order by exports.version_at desc) as recency
    from papers
    inner join exports on papers._batch_id = exports.batch_id

)

select * from ranked
where recency = 1
