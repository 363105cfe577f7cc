-- Live rows in = facts + quarantined + superseded duplicates. A duplicate is a row whose identity,
-- that is, its id or without one its whole content, another live row has too.
with live_rows as (

    select
        count(*) as rows_in,
        count(
            distinct identity_system || '|' || coalesce(
                'id:' || measurement_id, 'row:' || cast(row_hash as varchar(20))
            )
        ) as measurements
    from {{ ref('int_measurements__normalized') }}
    where _is_live

),

facts as (

    select count(*) as n from {{ ref('fact_measurements') }}

),

quarantined as (

    select count(*) as n from {{ ref('quarantined_measurements') }}

)

select
    live_rows.rows_in,
    facts.n as facts,
    quarantined.n as quarantined,
    live_rows.rows_in - live_rows.measurements as duplicates
from live_rows
cross join facts
cross join quarantined
where
    live_rows.rows_in <> facts.n + quarantined.n + (live_rows.rows_in - live_rows.measurements)
    and not exists ({{ lagging_events('int_measurements__normalized', 'fact_measurements') }})
    and not exists ({{ lagging_events('int_measurements__normalized', 'quarantined_measurements') }})
