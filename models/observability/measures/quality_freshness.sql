-- The days on which anything was built or loaded, and the days from each table's last load to them:
-- the ledger's days, not the clock's, so that who looks again finds the same.
with days as (

    select cast(started_at as date) as day
    from {{ source('ledger', 'builds') }}
    union
    select cast(recorded_at as date) as day
    from {{ source('ledger', 'events') }}

),

loads as (

    select distinct
        source_table,
        cast(loaded_at as date) as day
    from {{ source('ledger', 'batches') }}

),

first_loads as (

    select
        source_table,
        min(day) as day
    from loads
    group by source_table

),

table_days as (

    select
        first_loads.source_table,
        days.day,
        max(loads.day) over (
            partition by first_loads.source_table
            order by days.day
            rows between unbounded preceding and current row
        ) as last_load
    from first_loads
    inner join days on first_loads.day <= days.day
    left join loads on first_loads.source_table = loads.source_table and days.day = loads.day

)

select
    source_table as table_name,
    day,
    'freshness' as kind,
    'days_since_load' as measure,
    cast(
        {{ dbt.datediff('last_load', 'day', 'day') }} as decimal(18, 4)
    ) as value
from table_days
