-- Parts that can be merged (n, sum, sum of squares, min, max) per experiment and UTC day. Only the
-- groups that new rows touch are recomputed. On Redshift it lies where the fact's rows lie.
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='fact_measurements') }}",
            "{{ delete_affected('experiment_id, measured_date', affected_groups('experiment_id, measured_date')) }}",
        ],
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['experiment_id', 'measured_date']}],
        dist='experiment_id',
        sort=['measured_date', 'experiment_id'],
    )
}}

with {% if is_incremental() %}affected as (

    {{ kept(affected_groups('experiment_id, measured_date')) | indent(4) }}

),

{% endif %}facts as (

    select
        facts.*,
        cast(facts.measured_at as date) as measured_date
    from {{ ref('fact_measurements') }} as facts
    {% if is_incremental() -%}
    inner join affected
        on
            facts.experiment_id = affected.experiment_id
            and facts.measured_at >= affected.measured_date
            and facts.measured_at < affected.measured_date + 1
    {% endif %}

),

summarized as (

    select
        experiment_id,
        measured_date,
        {% for quantity in quantities() -%}
        cast(count({{ quantity }}) as bigint) as {{ quantity }}_n,
        cast(sum(cast({{ quantity }} as decimal(38, 4))) as decimal(38, 4)) as {{ quantity }}_sum,
        cast(sum(cast({{ quantity }} * {{ quantity }} as decimal(38, 8))) as decimal(38, 8))
            as {{ quantity }}_sum_of_squares,
        min({{ quantity }}) as {{ quantity }}_min,
        max({{ quantity }}) as {{ quantity }}_max,
        {% endfor -%}
        cast(count(*) as bigint) as measurement_count
    from facts
    group by experiment_id, measured_date

)

select {{ contract_columns() }}
from summarized
