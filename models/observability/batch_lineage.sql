-- For everyone who asks how far a batch has come. A model follows a source table if it has ever applied
-- an event of it; applied_at stays null until a build of it has ended.
with batches as (

    select
        batches.*,
        events.event_id
    from {{ source('ledger', 'batches') }} as batches
    inner join {{ source('ledger', 'events') }} as events on batches.batch_id = events.batch_id
    where events.event = 'loaded' and {{ is_live('batches') }}

),

applied as (

    select
        applied.model,
        applied.event_id,
        events.source_table,
        case when builds.finished_at is not null then applied.applied_at end as applied_at
    from {{ source('ledger', 'applied') }} as applied
    inner join {{ source('ledger', 'events') }} as events on applied.event_id = events.event_id
    left join {{ source('ledger', 'builds') }} as builds on applied.invocation_id = builds.invocation_id
    -- Not one that the project had once.
    where
        applied.model in (
            {% for model in applying_models() -%}
            '{{ model }}'{{ ',' if not loop.last }}
            {% else -%}
            ''
            {% endfor %}
        )

),

followers as (

    select distinct
        source_table,
        model
    from applied

)

select
    batches.batch_id,
    batches.source_table,
    batches.loaded_at,
    batches.rows_loaded,
    followers.model,
    applied.applied_at
from batches
inner join followers on batches.source_table = followers.source_table
left join applied on batches.event_id = applied.event_id and followers.model = applied.model
