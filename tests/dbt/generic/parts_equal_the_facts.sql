{#- The parts of a summary, kept group by group, are those that all facts give at once.
      period         day or month
      period_column  the summary's column with its first day -#}
{% test parts_equal_the_facts(model, period, period_column) %}
{%- set parts = ['n', 'sum', 'sum_of_squares', 'min', 'max'] %}
with expected as (

    select
        experiment_id,
        cast(date_trunc('{{ period }}', measured_at) as date) as {{ period_column }},
        {% for quantity in quantities() -%}
        count({{ quantity }}) as {{ quantity }}_n,
        sum({{ quantity }}) as {{ quantity }}_sum,
        sum({{ quantity }} * {{ quantity }}) as {{ quantity }}_sum_of_squares,
        min({{ quantity }}) as {{ quantity }}_min,
        max({{ quantity }}) as {{ quantity }}_max,
        {% endfor -%}
        count(*) as measurement_count
    from {{ ref('fact_measurements') }}
    group by 1, 2

),

actual as (

    select
        experiment_id,
        {{ period_column }},
        {% for quantity in quantities() -%}
        {%- for part in parts -%}
        {{ quantity }}_{{ part }},
        {% endfor -%}
        {%- endfor -%}
        measurement_count
    from {{ model }}

),

missing as (

    select * from expected
    except
    select * from actual

),

unexpected as (

    select * from actual
    except
    select * from expected

),

differences as (

    select * from missing
    union all
    select * from unexpected

)

select * from differences
where not exists ({{ lagging_events('fact_measurements', model.identifier) }})
{% endtest %}
