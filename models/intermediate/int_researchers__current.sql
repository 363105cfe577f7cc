-- One row per researcher of the newest export.
with exports as (

    select
        batches.batch_id,
        row_number() over (order by batches.version_at desc, batches.export_key desc) as recency
    from {{ source('ledger', 'batches') }} as batches
    where batches.source_table = 'research_db.researchers' and {{ is_live('batches') }}

),

ranked as (

    select
        researchers.researcher_id,
        researchers.researcher_name,
        researchers.email,
        researchers.department,
        row_number() over (
            partition by researchers.researcher_id order by researchers.researcher_name, researchers.email
        ) as position
    from {{ ref('stg_research_db__researchers') }} as researchers
    inner join exports on researchers._batch_id = exports.batch_id and exports.recency = 1
    where researchers.researcher_id is not null

)

select
    researcher_id,
    researcher_name,
    email,
    department
from ranked
where position = 1
