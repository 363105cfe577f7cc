-- The daily parts merged per experiment and UTC month. On Redshift it lies where they lie.
{%- set affected_months -%}
affected_groups("experiment_id, cast(date_trunc('month', measured_date) as date) as month")
{%- endset %}
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='daily_measurement_summary') }}",
            "{{ delete_affected('experiment_id, month', " ~ affected_months ~ ") }}",
        ],
        indexes=[{'columns': ['experiment_id', 'month']}],
        dist='experiment_id',
        sort=['month', 'experiment_id'],
    )
}}

with {% if is_incremental() %}affected as (

    {{ kept(affected_groups("experiment_id, cast(date_trunc('month', measured_date) as date) as month")) | indent(4) }}

),

{% endif %}days as (

    select
        days.*,
        cast(date_trunc('month', days.measured_date) as date) as month
    from {{ ref('daily_measurement_summary') }} as days
    {% if is_incremental() -%}
    inner join affected
        on
            days.experiment_id = affected.experiment_id
            and days.measured_date >= affected.month
            and days.measured_date < cast({{ dbt.dateadd('month', 1, 'affected.month') }} as date)
    {% endif %}

),

summarized as (

    select
        experiment_id,
        month,
        {% for quantity in quantities() -%}
        cast(sum({{ quantity }}_n) as bigint) as {{ quantity }}_n,
        cast(sum({{ quantity }}_sum) as decimal(38, 4)) as {{ quantity }}_sum,
        cast(sum({{ quantity }}_sum_of_squares) as decimal(38, 8)) as {{ quantity }}_sum_of_squares,
        min({{ quantity }}_min) as {{ quantity }}_min,
        max({{ quantity }}_max) as {{ quantity }}_max,
        {% endfor -%}
        cast(sum(measurement_count) as bigint) as measurement_count
    from days
    group by experiment_id, month

)

select {{ contract_columns() }}
from summarized
