-- How warm was it in each experiment, month by month, in one year?
--     dbt show --select temperature_by_experiment_and_month --limit 50
--     dbt show --select temperature_by_experiment_and_month --vars 'year: 2014'
-- The average is of the exact sum in double precision, as everywhere in this warehouse: the
-- engines' own avg() of a decimal differ. Time before or after a renaming counts for one experiment:
-- current_experiment_name is the same in all its versions.
select
    experiments.current_experiment_name as experiment_name,
    dates.month_name,
    dates.year,
    cast(
        cast(sum(facts.temperature) as double precision) / nullif(count(facts.temperature), 0) as decimal(12, 6)
    ) as avg_temperature,
    count(facts.temperature) as temperatures,
    sum(facts.measurement_count) as measurements
from {{ ref('fact_measurements') }} as facts
inner join {{ ref('dim_experiments') }} as experiments on facts.experiment_key = experiments.experiment_key
inner join {{ ref('dim_date') }} as dates on facts.date_key = dates.date_key
where dates.year = {{ var('year', 2013) }}
group by
    experiments.experiment_id,
    experiments.current_experiment_name,
    dates.year,
    dates.month,
    dates.month_name
order by
    experiments.current_experiment_name,
    dates.month
