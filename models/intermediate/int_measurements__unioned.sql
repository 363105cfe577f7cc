-- One row per raw row of every measurement source. A new source is one more select, and one more
-- name in the source_tables of int_measurements__normalized.
with research_db as (

    select * from {{ ref('stg_research_db__measurements') }}

),

unioned as (

    select
        cast('research_db' as varchar(32)) as source_system,
        research_db.*
    from research_db

)

select * from unioned
