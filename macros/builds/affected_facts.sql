{#- A query of the measurement keys whose fact may differ: those of claimed batches, and those in an
    interval where the version of their experiment or location is another one now. -#}
{% macro affected_facts() -%}
    {{ affected_measurements() }}
    {%- for entity in ['experiment', 'location'] %}
    union
    select measurements.measurement_key
    from {{ ref('int_measurements__normalized') }} as measurements
    inner join ({{ changed_intervals(ref('dim_' ~ entity ~ 's'), entity ~ '_id', entity ~ '_key') }}) as changed
        on
            measurements.{{ entity }}_id = changed.natural_key
            and measurements.measured_at >= changed.changed_from
            and measurements.measured_at < changed.changed_to
    {%- endfor %}
{%- endmacro %}
