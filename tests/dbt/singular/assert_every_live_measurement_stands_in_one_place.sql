-- Each live measurement is a fact or quarantined, never both, and nothing else is in either.
with places as (

    select
        measurement_key,
        1 as is_fact,
        0 as is_quarantined,
        0 as is_live
    from {{ ref('fact_measurements') }}
    union all
    select
        measurement_key,
        0 as is_fact,
        1 as is_quarantined,
        0 as is_live
    from {{ ref('quarantined_measurements') }}
    union all
    select distinct
        measurement_key,
        0 as is_fact,
        0 as is_quarantined,
        1 as is_live
    from {{ ref('int_measurements__normalized') }}
    where _is_live

)

select
    measurement_key,
    sum(is_fact) as facts,
    sum(is_quarantined) as quarantined,
    sum(is_live) as live
from places
where
    not exists ({{ lagging_events('int_measurements__normalized', 'fact_measurements') }})
    and not exists ({{ lagging_events('int_measurements__normalized', 'quarantined_measurements') }})
group by measurement_key
having sum(is_fact) + sum(is_quarantined) <> 1 or sum(is_live) <> 1
