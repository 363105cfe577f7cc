-- The key of each fact is that of the version which was valid when it was measured, or -1 if there
-- is none. Facts of entities whose versions changed after the fact was built last do not count.
with {% for entity in ['experiment', 'location'] -%}
unseen_{{ entity }}s as (

    select
        {{ entity }}_id as natural_key,
        {{ entity }}_key as dimension_key,
        valid_from,
        valid_to
    from {{ ref('dim_' ~ entity ~ 's') }}
    except
    select
        natural_key,
        dimension_key,
        valid_from,
        valid_to
    from {{ source('ledger', 'applied_versions') }}
    where model = 'fact_measurements' and dimension = 'dim_{{ entity }}s'

),

wrong_{{ entity }}s as (

    select
        facts.measurement_key,
        '{{ entity }}' as entity,
        facts.{{ entity }}_key as stored_key,
        versions.{{ entity }}_key as right_key
    from {{ ref('fact_measurements') }} as facts
    left join {{ ref('dim_' ~ entity ~ 's') }} as versions
        on
            facts.{{ entity }}_id = versions.{{ entity }}_id
            and facts.measured_at >= versions.valid_from
            and facts.measured_at < versions.valid_to
    where
        facts.{{ entity }}_key <> coalesce(versions.{{ entity }}_key, -1)
        and not exists (
            select 1 from unseen_{{ entity }}s as unseen
            where facts.{{ entity }}_id = unseen.natural_key
        )

){{ ',' if not loop.last }}

{% endfor -%}
select * from wrong_experiments
union all
select * from wrong_locations
