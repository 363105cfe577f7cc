-- How the values of a day of measurement are distributed.
with distributions as (

    select
        distributions.*,
        'fact_measurements.' || source_system as table_name
    from {{ ref('measurement_distributions') }} as distributions

)

select
    table_name,
    measured_date as day,
    'distribution' as kind,
    'measurements' as measure,
    cast(measurement_count as decimal(18, 4)) as value
from distributions
where quantity = '{{ quantities()[0] }}'
union all
select
    table_name,
    measured_date as day,
    'distribution' as kind,
    quantity || '_null_share' as measure,
    {{ share('measurement_count - value_count', 'measurement_count') }} as value
from distributions
{% for name, column in [
    ('minimum', 'minimum'),
    ('lower_quartile', 'lower_quartile'),
    ('median', 'middle'),
    ('upper_quartile', 'upper_quartile'),
    ('maximum', 'maximum'),
] -%}
union all
select
    table_name,
    measured_date as day,
    'distribution' as kind,
    quantity || '_{{ name }}' as measure,
    cast({{ column }} as decimal(18, 4)) as value
from distributions
where value_count > 0
{% endfor -%}
union all
select
    table_name,
    day,
    'distribution' as kind,
    'facts' as measure,
    cast(fact_count as decimal(18, 4)) as value
from {{ ref('daily_fact_counts') }}
union all
select
    table_name,
    day,
    'distribution' as kind,
    'amount' as measure,
    cast(amount as decimal(18, 4)) as value
from {{ ref('daily_fact_counts') }}
where amount is not null
