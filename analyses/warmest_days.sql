-- The ten warmest days of any experiment, by the mean of the day.
--     dbt show --select warmest_days --limit 10
-- `dbt show` adds a LIMIT of its own, so this one stands inside.
with first_ones as (

    select
        experiment_id,
        measured_date,
        cast(cast(temperature_sum as double precision) / temperature_n as decimal(12, 6)) as avg_temperature,
        temperature_max as max_temperature,
        temperature_n as temperatures
    from {{ ref('daily_measurement_summary') }}
    where temperature_n > 0
    order by avg_temperature desc, experiment_id asc, measured_date asc
    limit 10

)

select * from first_ones
order by avg_temperature desc, experiment_id asc, measured_date asc
