-- Sales per region and UTC month. Only the groups that new rows touch are recomputed: a
-- materialized view would count every order of every month again on each refresh, since a count of
-- distinct orders cannot be kept from parts. On Redshift spread evenly: a few rows, read whole.
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='fact_sales') }}",
            "{{ delete_affected('region, month', affected_months_of_sales()) }}",
        ],
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['region', 'month']}],
        dist='even',
        sort=['month', 'region'],
    )
}}

with {% if is_incremental() %}affected as (

    {{ kept(affected_months_of_sales()) | indent(4) }}

),

{% endif %}facts as (

    select
        facts.*,
        cast(date_trunc('month', facts.sold_at) as date) as month
    from {{ ref('fact_sales') }} as facts
    {% if is_incremental() -%}
    inner join affected
        on
            facts.region = affected.region
            and facts.sold_at >= affected.month
            and facts.sold_at < cast({{ dbt.dateadd('month', 1, 'affected.month') }} as date)
    {% endif %}

),

summarized as (

    select
        region,
        month,
        cast(count(*) as bigint) as sale_count,
        cast(count(distinct order_id) as bigint) as order_count,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(amount) as decimal(38, 2)) as revenue,
        cast(sum(discount) as decimal(38, 2)) as discount
    from facts
    group by region, month

)

select {{ contract_columns() }}
from summarized
