-- The daily parts, kept group by group, are those that all facts give at once.
{%- set parts = ['n', 'sum', 'sum_of_squares', 'min', 'max'] %}
with expected as (

    select
        experiment_id,
        cast(measured_at as date) as measured_date,
        count(*) as measurement_count
        {%- for quantity in quantities() %},
        count({{ quantity }}) as {{ quantity }}_n,
        sum({{ quantity }}) as {{ quantity }}_sum,
        sum({{ quantity }} * {{ quantity }}) as {{ quantity }}_sum_of_squares,
        min({{ quantity }}) as {{ quantity }}_min,
        max({{ quantity }}) as {{ quantity }}_max
        {%- endfor %}
    from {{ ref('fact_measurements') }}
    group by 1, 2

),

actual as (

    select
        experiment_id,
        measured_date,
        measurement_count
        {%- for quantity in quantities() %}{% for part in parts %},
        {{ quantity }}_{{ part }}
        {%- endfor %}{% endfor %}
    from {{ ref('daily_measurement_summary') }}

),

differences as (

    (select * from expected except select * from actual)
    union all
    (select * from actual except select * from expected)

)

select *
from differences
where not exists ({{ lagging_events('fact_measurements', 'daily_measurement_summary') }})
