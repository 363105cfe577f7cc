-- One row per researcher of the newest export.
with exports as (

    select
        batches.batch_id,
        row_number() over (order by batches.version_at desc, batches.export_key desc) as recency
    from {{ source('ledger', 'batches') }} as batches
    where {{ exported_table('batches') }} = 'research_db.researchers' and {{ is_live('batches') }}

),

researchers as (

    select * from {{ ref('stg_research_db__researchers') }}

)

select
    researchers.researcher_id,
    researchers.researcher_name,
    researchers.email,
    researchers.department
from researchers
inner join exports on researchers._batch_id = exports.batch_id and exports.recency = 1
