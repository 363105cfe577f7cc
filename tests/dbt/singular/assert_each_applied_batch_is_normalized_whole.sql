-- Per batch: rows that the ledger says were loaded = rows of raw = rows that were normalized.
with applied_batches as (

    select
        batches.batch_id,
        batches.rows_loaded
    from {{ source('ledger', 'applied') }} as applied
    inner join {{ source('ledger', 'events') }} as events
        on applied.event_id = events.event_id and events.event = 'loaded'
    inner join {{ source('ledger', 'batches') }} as batches on events.batch_id = batches.batch_id
    where applied.model = 'int_measurements__normalized'

),

raw_rows as (

    {%- for table in measurement_tables() %}
    select
        _batch_id,
        count(*) as n
    from {{ source(*table.split('.')) }}
    group by _batch_id
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

normalized_rows as (

    select
        _batch_id,
        count(*) as n
    from {{ ref('int_measurements__normalized') }}
    group by _batch_id

)

select
    coalesce(applied_batches.batch_id, normalized_rows._batch_id) as batch_id,
    applied_batches.rows_loaded as rows_in_ledger,
    raw_rows.n as rows_in_raw,
    normalized_rows.n as rows_normalized
from applied_batches
full outer join normalized_rows on applied_batches.batch_id = normalized_rows._batch_id
left join raw_rows on applied_batches.batch_id = raw_rows._batch_id
where
    applied_batches.batch_id is null
    or applied_batches.rows_loaded <> coalesce(raw_rows.n, 0)
    or applied_batches.rows_loaded <> coalesce(normalized_rows.n, 0)
