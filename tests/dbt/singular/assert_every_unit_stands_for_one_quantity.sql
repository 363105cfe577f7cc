-- A unit that several quantities share has a row in shared_units, of a quantity that has the unit.
with units as (

    select
        unit,
        count(*) as quantities
    from {{ ref('units') }}
    group by unit

)

select
    coalesce(units.unit, shared_units.unit) as unit,
    units.quantities,
    shared_units.quantity
from units
full outer join {{ ref('shared_units') }} as shared_units on units.unit = shared_units.unit
left join {{ ref('units') }} as meant
    on shared_units.unit = meant.unit and shared_units.quantity = meant.quantity
where
    units.unit is null
    or (units.quantities > 1 and shared_units.unit is null)
    or (shared_units.unit is not null and meant.unit is null)
