-- How many facts of sales, orders and observations a UTC day has, and their amount: what
-- measurement_distributions counts of measurements. Only the days that new rows touch are counted again.
{%- set facts = [
    {'name': 'fact_sales', 'series': "'fact_sales'", 'at': 'sold_at', 'amount': 'amount'},
    {'name': 'fact_order_lines', 'series': "'fact_order_lines'", 'at': 'ordered_at', 'amount': 'amount'},
    {
        'name': 'fact_observations',
        'series': "'fact_observations.' || facts.source_system",
        'at': 'observed_at',
        'amount': 'cast(null as decimal(18, 2))',
    },
] %}
{{
    config(
        pre_hook=[
            "{{ claim_events(follows=['fact_sales', 'fact_order_lines', 'fact_observations']) }}",
            "{{ delete_affected('table_name, day', affected_fact_days()) }}",
        ],
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['table_name', 'day']}],
        dist='even',
        sort=['day', 'table_name'],
    )
}}

with {% if is_incremental() %}affected as (

    {{ kept(affected_fact_days()) | indent(4) }}

),

{% endif %}facts as (

    {% for fact in facts -%}
    select
        {{ fact.series }} as table_name,
        cast(facts.{{ fact.at }} as date) as day,
        {{ fact.amount }} as amount
    from {{ ref(fact.name) }} as facts
    {% if is_incremental() -%}
    inner join affected
        on
            {{ fact.series }} = affected.table_name
            {% if fact.name == 'fact_observations' -%}
            and facts.time_key >= {{ epoch_minutes('affected.day') }}
            and facts.time_key < {{ epoch_minutes('affected.day + 1') }}
            {% endif -%}
            and facts.{{ fact.at }} >= affected.day
            and facts.{{ fact.at }} < affected.day + 1
    {% endif -%}
    where
        {% if is_incremental() -%}
        facts.{{ fact.at }} >= (select min(touched.day) from affected as touched)
        and facts.{{ fact.at }} < (select max(touched.day) + 1 from affected as touched)
        and {% endif -%}
        facts.{{ fact.at }} is not null
    {%- if not loop.last %}
    union all
    {% endif -%}
    {%- endfor %}

),

counted as (

    select
        table_name,
        day,
        count(*) as fact_count,
        sum(amount) as amount
    from facts
    group by table_name, day

)

select {{ contract_columns() }}
from counted
