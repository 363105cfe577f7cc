-- One row per raw row: keys, the value in its variable's canonical unit, and why it is not fit to be
-- a fact. All the rules of an observation are here; int_observations__normalized stores the result.
with observations as (

    select * from {{ ref('stg_hpc__observations') }}

),

units as (

    select * from {{ ref('units') }}

),

rules as (

    select * from {{ ref('variable_rules') }}

),

-- What a unit alone stands for: one row per unit.
units_alone as (

    select units.*
    from units
    left join {{ ref('shared_units') }} as shared_units on units.unit = shared_units.unit
    where shared_units.unit is null or units.quantity = shared_units.quantity

),

date_range as (

    select * from {{ ref('date_range') }}

),

-- A variable that the rules know is converted as its quantity; another as what its unit stands for.
-- Without a unit a value stays as it is, of a variable of its own.
described as (

    select
        observations.*,
        coalesce(named_units.unit, units_alone.unit) is not null or observations.source_unit is null
            as unit_is_known,
        coalesce(named_units.canonical_unit, units_alone.canonical_unit) as canonical_unit,
        cast(coalesce(named_units.offset_before, units_alone.offset_before, 0) as double precision) as offset_before,
        cast(coalesce(named_units.numerator, units_alone.numerator, 1) as double precision) as numerator,
        cast(coalesce(named_units.denominator, units_alone.denominator, 1) as double precision) as denominator,
        case when named_units.unit is not null then rules.minimum end as minimum,
        case when named_units.unit is not null then rules.maximum end as maximum,
        observations.observed_at >= date_range.first_date and observations.observed_at < date_range.last_date + 1
            as observed_in_range,
        -- Beyond these, arithmetic in double precision over- or underflows, which the engines
        -- answer with an error that would stop the build.
        case
            when abs(observations.source_value) < cast('1e-290' as double precision) then 0
            when abs(observations.source_value) < cast('1e290' as double precision) then observations.source_value
        end as finite_value
    from observations
    cross join date_range
    left join rules on coalesce(observations.standard_name, observations.variable) = rules.variable
    left join units as named_units
        on rules.quantity = named_units.quantity and observations.source_unit = named_units.unit
    left join units_alone on rules.variable is null and observations.source_unit = units_alone.unit

),

-- In double precision, one rounding (IEEE 754) an operation and none besides: variables differ by
-- more powers of ten than a decimal has places.
converted as (

    select
        described.*,
        (finite_value + offset_before) * numerator / denominator as canonical_value
    from described

),

checked as (

    select
        converted.*,
        case when experiment_id is null then ',missing_experiment_id' else '' end
        || case when file_id is null or variable is null or position is null then ',missing_position' else '' end
        || case
            when source_value is null then ',missing_value'
            when finite_value is null then ',invalid_value'
            when is_in_valid_range = false then ',outside_range_of_file'
            else ''
        end
        || case
            when not unit_is_known then ',unknown_unit'
            when canonical_value < minimum or canonical_value > maximum then ',value_out_of_range'
            else ''
        end
        || case when not observed_in_range then ',observed_at_out_of_range' else '' end as reasons
    from converted

),

final as (

    select
        ---------- keys
        {{ hash_key(
            "coalesce(experiment_id, '') || '|' || coalesce(file_id, '') || '|' || coalesce(variable, '') || '|' "
            "|| coalesce(cast(position as varchar(20)), '')"
        ) }} as observation_key,
        {{ hash_key("coalesce(experiment_id, '') || '|' || coalesce(file_id, '')") }} as file_key,
        {{ hash_key(
            "coalesce(variable, '') || '|' || coalesce(standard_name, '') || '|' || coalesce(canonical_unit, '')"
        ) }} as variable_key,
        cast('hpc' as varchar(32)) as source_system,
        experiment_id,
        file_id,
        variable,
        position,

        ---------- text
        standard_name,
        canonical_unit,
        station,
        coordinates,
        quality_flag,

        ---------- timestamps, UTC
        case when observed_in_range then observed_at end as observed_at,
        observed_at as source_observed_at,

        ---------- numerics
        case when unit_is_known then canonical_value end as value,  -- noqa: RF04
        latitude,
        longitude,
        height_m,

        ---------- as the file has it
        source_value,
        source_unit,
        is_in_valid_range,

        ---------- machine-readable codes with commas between; null: fit to be a fact
        nullif(substring(reasons, 2), '') as quarantine_reasons,

        ---------- load
        _batch_id,
        _loaded_at
    from checked

)

select * from final
