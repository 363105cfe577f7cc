-- The minutes that occur in facts. A correction can take the last fact from a minute, so the
-- affected ones are deleted and those that still occur inserted again. On Redshift
-- a copy on each node (dist all): every question of a time of day joins it.
{{
    config(
        pre_hook=[
            "{{ claim_events(follows=['fact_measurements', 'fact_observations']) }}",
            "{{ delete_affected('time_key', affected_minutes()) }}",
        ],
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['time_key']}],
        dist='all',
        sort='time_key',
    )
}}

with occurring as (

    {% for fact in ['fact_measurements', 'fact_observations'] -%}
    select time_key
    from {{ ref(fact) }}
    where
        time_key <> {{ unknown_time_key() }}
        and {{ ('time_key in (' ~ kept(affected_minutes()) ~ ')') if is_incremental() else '1 = 1' }}
    {{ 'union' if not loop.last }}
    {% endfor %}
),

minutes as (

    select
        time_key,
        {{ dbt.dateadd('minute', 'time_key', "cast('1970-01-01' as timestamp)") }} as minute_start
    from occurring

),

described as (

    select
        time_key,
        minute_start,
        cast(to_char(minute_start, 'YYYYMMDD') as integer) as date_key,
        cast(extract(hour from minute_start) as integer) as hour,
        cast(extract(minute from minute_start) as integer) as minute,
        case
            when extract(hour from minute_start) < 6 then 'night'
            when extract(hour from minute_start) < 12 then 'morning'
            when extract(hour from minute_start) < 18 then 'afternoon'
            else 'evening'
        end as day_part
    from minutes

),

-- Only a first build inserts it.
unknown as (  -- noqa: ST03

    select
        {{ unknown_time_key() }} as time_key,
        cast(null as timestamp) as minute_start,
        -1 as date_key,
        cast(null as integer) as hour,
        cast(null as integer) as minute,
        '(unknown)' as day_part

)

select {{ contract_columns() }}
from described
{%- if not is_incremental() %}
union all
select {{ contract_columns() }}
from unknown
{%- endif %}
