-- The key of each fact is that of the version which was valid when it was measured, or -1 if there
-- is none. Facts of entities whose versions changed after the fact was built last do not count.
{%- for entity in ['experiment', 'location'] %}
{%- if not loop.first %}
union all
{%- endif %}
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
left join (
    select {{ entity }}_id as natural_key from (
        select {{ entity }}_id, {{ entity }}_key, valid_from, valid_to
        from {{ ref('dim_' ~ entity ~ 's') }}
        except
        select natural_key, dimension_key, valid_from, valid_to
        from {{ source('ledger', 'applied_versions') }}
        where model = 'fact_measurements' and dimension = 'dim_{{ entity }}s'
    ) as unseen
    group by {{ entity }}_id
) as changed
    on facts.{{ entity }}_id = changed.natural_key
where
    facts.{{ entity }}_key <> coalesce(versions.{{ entity }}_key, -1)
    and changed.natural_key is null
{%- endfor %}
