-- A real materialized view on both engines: one row per experiment and UTC month with at least
-- one temperature. Sums are exact; the last division and the root are in double precision.
-- dbt does not see a materialized view's columns on PostgreSQL: comment_columns describes them.
-- No auto refresh on Redshift: of outer joins it refreshes all, and every build does that. Spread
-- evenly: a few rows per experiment, read whole or by month.
{{
    config(
        materialized='materialized_view',
        on_configuration_change='apply',
        contract={'enforced': false},
        persist_docs={'relation': true, 'columns': false},
        post_hook="{{ comment_columns() }}",
        auto_refresh=false,
        dist='even',
        sort=['month'],
    )
}}

with months as (

    select * from {{ ref('monthly_measurement_summary') }}

),

experiments as (

    select * from {{ ref('dim_experiments') }}

)

select
    months.experiment_id,
    cast(coalesce(experiments.experiment_name, months.experiment_id) as varchar(200)) as experiment_name,
    months.month,
    cast(
        cast(months.temperature_sum as double precision) / months.temperature_n as decimal(12, 6)
    ) as avg_temperature,
    months.temperature_min as min_temperature,
    months.temperature_max as max_temperature,
    {{ sample_deviation('months.temperature_n', 'months.temperature_sum', 'months.temperature_sum_of_squares') }}
        as temp_stddev,
    months.temperature_n as measurement_count
from months
left join experiments on months.experiment_id = experiments.experiment_id and experiments.is_current
where months.temperature_n > 0
