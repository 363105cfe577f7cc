-- One row per day of the seeded range, and the unknown member: what dim_date shall hold.
with digits as (

    {% for digit in range(10) -%}
    select {{ digit }} as digit{{ ' union all' if not loop.last }}
    {% endfor %}
),

numbers as (

    select ones.digit + 10 * tens.digit + 100 * hundreds.digit + 1000 * thousands.digit + 10000 * more.digit as n
    from digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
    cross join digits as more

),

days as (

    select date_range.first_date + numbers.n as calendar_date
    from {{ ref('date_range') }} as date_range
    inner join numbers on date_range.first_date + numbers.n <= date_range.last_date

),

described as (

    select
        cast(to_char(calendar_date, 'YYYYMMDD') as integer) as date_key,
        calendar_date,
        cast(extract(year from calendar_date) as integer) as year,
        cast(extract(quarter from calendar_date) as integer) as quarter,
        cast(extract(month from calendar_date) as integer) as month,
        trim(to_char(calendar_date, 'Month')) as month_name,
        cast(date_trunc('month', calendar_date) as date) as first_of_month,
        cast(extract(day from calendar_date) as integer) as day_of_month,
        cast(extract(week from calendar_date) as integer) as iso_week,
        -- Redshift and PostgreSQL both count from Sunday = 0; ISO counts from Monday = 1.
        cast((extract(dow from calendar_date) + 6) as integer) % 7 + 1 as iso_day_of_week,
        trim(to_char(calendar_date, 'Day')) as day_name,
        extract(dow from calendar_date) in (0, 6) as is_weekend
    from days

),

unknown as (

    select
        -1 as date_key,
        cast(null as date) as calendar_date,
        cast(null as integer) as year,
        cast(null as integer) as quarter,
        cast(null as integer) as month,
        '(unknown)' as month_name,
        cast(null as date) as first_of_month,
        cast(null as integer) as day_of_month,
        cast(null as integer) as iso_week,
        cast(null as integer) as iso_day_of_week,
        '(unknown)' as day_name,
        false as is_weekend

)

select * from described
union all
select * from unknown
