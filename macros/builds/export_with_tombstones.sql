{#- The export that a snapshot applied last, and a tombstone (is_deleted) with its last known
    attributes for each key that an earlier export had and this one has not.
      staging   relation of the entity's staging model
      key       the natural key's column
      snapshot  the snapshot's name
      columns   the attributes that are kept -#}
{% macro export_with_tombstones(staging, key, snapshot, columns) -%}
with applied as (

    {{ applied_exports(snapshot) | indent(4) }}

),

shown as (

    select * from applied
    order by version_at desc, export_key desc, batch_id desc
    limit 1

),

-- What counts up to then. The shown one counts even if it was replaced: until `warehouse run`
-- replays, the snapshot stays as it is.
exports as (

    select
        batches.batch_id,
        batches.version_at,
        batches.export_key,
        shown.version_at as exported_at,
        case when batches.batch_id = shown.batch_id then 1 else 0 end as is_shown
    from {{ source('ledger', 'batches') }} as batches
    inner join shown on batches.version_at <= shown.version_at
    left join ({{ superseded_batches() }}) as superseded on batches.batch_id = superseded.batch_id
    where
        {{ exported_table('batches') }} = '{{ snapshot_source(snapshot) }}'
        and (batches.batch_id = shown.batch_id or superseded.batch_id is null)

),

ranked as (

    select
        staged.*,
        exports.exported_at,
        exports.is_shown,
        row_number() over (
            partition by staged.{{ key }}
            order by exports.version_at desc, exports.is_shown desc, exports.export_key desc
        ) as recency
    from {{ staging }} as staged
    inner join exports on staged._batch_id = exports.batch_id

)

select
    {{ key }},
    {% for column in columns -%}
    {{ column }},
    {% endfor -%}
    is_shown = 0 as is_deleted,
    exported_at
from ranked
where recency = 1
{%- endmacro %}
