-- What the loads of a UTC day brought. A load counts on its own day, whatever replaced it later.
with loads as (

    select
        source_table,
        cast(loaded_at as date) as day,
        case when mode = 'snapshot' then 'rows_per_export' else 'rows_per_file' end as measure,
        sum(rows_loaded) as rows_loaded,
        sum(rows_rejected) as rows_rejected,
        sum(files) as files,
        count(*) as batches
    from {{ source('ledger', 'batches') }}
    group by
        source_table, cast(loaded_at as date),
        case when mode = 'snapshot' then 'rows_per_export' else 'rows_per_file' end

),

files as (

    select
        source_table,
        cast(recorded_at as date) as day,
        sum(case when status = 'refused' then 1 else 0 end) as refused_files
    from {{ source('ledger', 'files') }}
    group by source_table, cast(recorded_at as date)

)

select
    source_table as table_name,
    day,
    'volume' as kind,
    'rows_loaded' as measure,
    cast(sum(rows_loaded) as decimal(18, 4)) as value
from loads
group by source_table, day
union all
-- An export may come in any number of files.
select
    source_table,
    day,
    'volume' as kind,
    measure,
    {{ share('rows_loaded', "case when measure = 'rows_per_export' then batches else files end") }} as value
from loads
union all
select
    source_table,
    day,
    'volume' as kind,
    'rejected_share' as measure,
    {{ share('sum(rows_rejected)', 'sum(rows_loaded) + sum(rows_rejected)') }} as value
from loads
group by source_table, day
union all
select
    source_table,
    day,
    'volume' as kind,
    'refused_files' as measure,
    cast(refused_files as decimal(18, 4)) as value
from files
