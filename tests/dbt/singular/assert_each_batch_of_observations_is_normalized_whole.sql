-- Per batch that was applied: rows that the ledger says were loaded = rows that were normalized.
with applied_batches as (

    select
        batches.batch_id,
        batches.rows_loaded
    from {{ source('ledger', 'applied') }} as applied
    inner join {{ source('ledger', 'events') }} as events
        on applied.event_id = events.event_id and events.event = 'loaded'
    inner join {{ source('ledger', 'batches') }} as batches on events.batch_id = batches.batch_id
    where applied.model = 'int_observations__normalized'

),

normalized_rows as (

    select
        _batch_id,
        count(*) as n
    from {{ ref('int_observations__normalized') }}
    group by _batch_id

)

select
    coalesce(applied_batches.batch_id, normalized_rows._batch_id) as batch_id,
    applied_batches.rows_loaded as rows_in_ledger,
    normalized_rows.n as rows_normalized
from applied_batches
full outer join normalized_rows on applied_batches.batch_id = normalized_rows._batch_id
where
    applied_batches.batch_id is null
    or applied_batches.rows_loaded <> coalesce(normalized_rows.n, 0)
