-- What was seen of the columns of contract and raw table on the days on which something was new.
with observed as (

    select
        *,
        cast(observed_at as date) as day,
        row_number() over (
            partition by source_table, column_name
            order by observed_at, case when raw_type is null then 1 else 0 end, raw_type
        ) as observation
    from {{ source('ledger', 'raw_columns') }}

),

days as (

    select distinct
        source_table,
        day
    from observed

),

known as (

    select
        days.source_table,
        days.day,
        observed.day as observed_on,
        observed.observation,
        coalesce(observed.contract_type, '') <> coalesce(observed.raw_type, '') as is_unlike,
        row_number() over (
            partition by days.source_table, days.day, observed.column_name
            order by observed.observation desc
        ) as recency
    from days
    inner join observed on days.source_table = observed.source_table and days.day >= observed.day

)

select
    source_table as table_name,
    day,
    'schema' as kind,
    'columns_unlike_contract' as measure,
    cast(sum(case when is_unlike and recency = 1 then 1 else 0 end) as decimal(18, 4)) as value
from known
group by source_table, day
union all
select
    source_table,
    day,
    'schema' as kind,
    'columns_appeared' as measure,
    cast(sum(case when observation = 1 and observed_on = day then 1 else 0 end) as decimal(18, 4)) as value
from known
group by source_table, day
