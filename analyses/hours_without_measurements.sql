-- Hours of each month in which an experiment measured nothing, between its first and its last hour.
--     dbt show --select hours_without_measurements --limit 50
with measured as (

    select distinct
        experiment_id,
        date_trunc('hour', measured_at) as measured_hour
    from {{ ref('fact_measurements') }}

),

spans as (

    select
        experiment_id,
        min(measured_hour) as first_hour,
        max(measured_hour) as last_hour
    from measured
    group by experiment_id

),

months as (

    select distinct first_of_month as month_start
    from {{ ref('dim_date') }}
    where date_key <> -1

),

-- The part of each month that lies between first and last hour, both counted.
expected as (

    select
        spans.experiment_id,
        months.month_start as month,
        greatest(spans.first_hour, cast(months.month_start as timestamp)) as from_hour,
        least(
            {{ dbt.dateadd('hour', 1, 'spans.last_hour') }},
            {{ dbt.dateadd('month', 1, 'cast(months.month_start as timestamp)') }}
        ) as to_hour
    from spans
    inner join months
        on
            spans.last_hour >= months.month_start
            and spans.first_hour < {{ dbt.dateadd('month', 1, 'cast(months.month_start as timestamp)') }}

),

counted as (

    select
        experiment_id,
        month,
        {{ epoch_minutes('from_hour') }} as from_minute,
        {{ epoch_minutes('to_hour') }} as to_minute
    from expected

),

found as (

    select
        experiment_id,
        cast(date_trunc('month', measured_hour) as date) as month,
        count(*) as hours
    from measured
    group by experiment_id, cast(date_trunc('month', measured_hour) as date)

)

select
    counted.experiment_id,
    counted.month,
    (counted.to_minute - counted.from_minute) / 60 - coalesce(found.hours, 0) as missing_hours,
    coalesce(found.hours, 0) as measured_hours
from counted
left join found
    on counted.experiment_id = found.experiment_id and counted.month = found.month
order by counted.experiment_id, counted.month
