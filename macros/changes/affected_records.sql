{#- A query of the records whose fact may differ: those with a row in a claimed batch, live or not,
    and those in an interval where the version of a dimension row is another one now.
      changes     int_<entity>__changes; the records are known by record_key
      at          its column with the time that leads to a version
      dimensions  entities: 'product' means dim_products, product_id, product_key -#}
{% macro affected_records(changes, at=none, dimensions=[]) -%}
    select record_key
    from {{ changes }}
    where {{ is_claimed('_batch_id') }}
    {%- for entity in dimensions %}
    union
    select changes.record_key
    from {{ changes }} as changes
    inner join ({{ changed_intervals(ref('dim_' ~ entity ~ 's'), entity ~ '_id', entity ~ '_key') }}) as changed
        on
            changes.{{ entity }}_id = changed.natural_key
            and changes.{{ at }} >= changed.changed_from
            and changes.{{ at }} < changed.changed_to
    {%- endfor %}
{%- endmacro %}
