-- Counts, nulls, range and quartiles of a source's measurements per UTC day. Quartiles are values of
-- the day by their rank (nearest rank): exact decimals, the same on every engine, where the engines'
-- own functions interpolate in double precision. Only the days that new rows touch are made again:
-- PostgreSQL reads their minutes, which it has indexed; Redshift, which has sorted by time and skips
-- blocks by constants alone, what lies between the first and the last of them.
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='fact_measurements') }}",
            "{{ delete_affected('source_system, measured_date', affected_groups('source_system, measured_date')) }}",
        ],
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['source_system', 'measured_date']}],
        dist='even',
        sort=['measured_date', 'source_system'],
    )
}}

with {% if is_incremental() %}affected as (

    {{ kept(affected_groups('source_system, measured_date')) | indent(4) }}

),

{% endif %}facts as (

    select
        facts.*,
        cast(facts.measured_at as date) as measured_date
    from {{ ref('fact_measurements') }} as facts
    {% if is_incremental() -%}
    inner join affected
        on
            facts.source_system = affected.source_system
            and facts.time_key >= {{ epoch_minutes('affected.measured_date') }}
            and facts.time_key < {{ epoch_minutes('affected.measured_date + 1') }}
            and facts.measured_at >= affected.measured_date
            and facts.measured_at < affected.measured_date + 1
    where
        facts.measured_at >= (select min(touched.measured_date) from affected as touched)
        and facts.measured_at < (select max(touched.measured_date) + 1 from affected as touched)
    {% endif %}

),

measured as (

    {% for quantity in quantities() -%}
    select
        source_system,
        measured_date,
        '{{ quantity }}' as quantity,
        {{ quantity }} as measured_value,
        -- Nulls rank last.
        row_number() over (
            partition by source_system, measured_date
            order by case when {{ quantity }} is null then 1 else 0 end, {{ quantity }}
        ) as place,
        count({{ quantity }}) over (partition by source_system, measured_date) as values_of_day
    from facts
    {%- if not loop.last %}
    union all
    {% endif -%}
    {%- endfor %}

),

summarized as (

    select
        source_system,
        measured_date,
        quantity,
        count(*) as measurement_count,
        max(values_of_day) as value_count,
        min(measured_value) as minimum,
        max(case when place = (values_of_day + 3) / 4 then measured_value end) as lower_quartile,
        max(case when place = (values_of_day + 1) / 2 then measured_value end) as middle,
        max(case when place = (3 * values_of_day + 3) / 4 then measured_value end) as upper_quartile,
        max(measured_value) as maximum
    from measured
    group by source_system, measured_date, quantity

)

select {{ contract_columns() }}
from summarized
