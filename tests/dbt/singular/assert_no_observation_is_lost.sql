-- Per file: live rows in = facts + quarantined + copies of the same observation.
with normalized as (

    select
        file_key,
        count(*) as rows_in,
        count(distinct observation_key) as observations
    from {{ ref('int_observations__normalized') }}
    where _is_live
    group by file_key

),

facts as (

    select
        file_key,
        count(*) as n
    from {{ ref('fact_observations') }}
    group by file_key

),

quarantined as (

    select
        file_key,
        count(*) as n
    from {{ ref('quarantined_observations') }}
    group by file_key

),

files as (

    select
        file_key,
        staged_count
    from {{ ref('hpc_files') }}

)

select
    files.file_key,
    normalized.rows_in,
    normalized.observations,
    facts.n as facts,
    quarantined.n as quarantined
from files
full outer join normalized on files.file_key = normalized.file_key
left join facts on normalized.file_key = facts.file_key
left join quarantined on normalized.file_key = quarantined.file_key
where
    (
        files.file_key is null
        or coalesce(normalized.observations, 0) <> coalesce(facts.n, 0) + coalesce(quarantined.n, 0)
    )
    and not exists ({{ lagging_events('int_observations__normalized', 'fact_observations') }})
    and not exists ({{ lagging_events('int_observations__normalized', 'quarantined_observations') }})
    and not exists ({{ lagging_events('int_observations__normalized', 'int_observations__variables') }})
