{#- A query of the measurement keys whose fact may differ: those of claimed batches, and those in an
    interval where the version of their experiment or location is another one now. -#}
{% macro affected_facts() -%}
    {{ affected_measurements() }}
    {{ union_rekeyed(
        ref('int_measurements__normalized'), 'measurement_key', 'measured_at',
        {'experiment': 'experiment_id', 'location': 'location_id'}
    ) }}
{%- endmacro %}

{#- The same of observations, by their files. Their station may be a location. -#}
{% macro affected_observation_facts() -%}
    {{ affected_files() }}
    {{ union_rekeyed(
        ref('int_observations__normalized'), 'file_key', 'observed_at',
        {'experiment': 'experiment_id', 'location': 'station'}
    ) }}
{%- endmacro %}

{#- The rest of a query of keys: those of rows in an interval where the version of a dimension row is
    another one than when `this` was built.
      entities  for each dimension, the column that has its natural key -#}
{% macro union_rekeyed(normalized, key, happened_at, entities) -%}
    {%- for entity, natural_key in entities.items() %}
    union
    select happened.{{ key }}
    from {{ normalized }} as happened
    inner join ({{ changed_intervals(ref('dim_' ~ entity ~ 's'), entity ~ '_id', entity ~ '_key') }}) as changed
        on
            happened.{{ natural_key }} = changed.natural_key
            and happened.{{ happened_at }} >= changed.changed_from
            and happened.{{ happened_at }} < changed.changed_to
    {%- endfor %}
{%- endmacro %}
