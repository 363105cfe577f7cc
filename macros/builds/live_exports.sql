{#- A query (batch_id, version_at, export_key, next_version_at) of the exports that a model has
    claimed and that count: not replaced by another load, and of several as of the same time the one
    whose key sorts last. next_version_at is the time of the next one, null for the newest.
    As far as the model has claimed, not as the ledger says by now: so all that follow the model in
    a build see the same exports. An export without rows counts, too. -#}
{% macro live_exports(model) -%}
    select
        counted.batch_id,
        counted.version_at,
        counted.export_key,
        lead(counted.version_at) over (order by counted.version_at) as next_version_at
    from (
        select
            batches.batch_id,
            batches.version_at,
            batches.export_key,
            row_number() over (partition by batches.version_at order by batches.export_key desc, batches.batch_id desc)
                as precedence
        from {{ source('ledger', 'applied') }} as applied
        inner join {{ source('ledger', 'events') }} as events on applied.event_id = events.event_id
        inner join {{ source('ledger', 'batches') }} as batches on events.batch_id = batches.batch_id
        where
            applied.model = '{{ model }}'
            and batches.batch_id not in (
                select replaced.batch_id
                from {{ source('ledger', 'applied') }} as known
                inner join {{ source('ledger', 'events') }} as replaced
                    on known.event_id = replaced.event_id and replaced.event = 'superseded'
                where known.model = '{{ model }}'
            )
    ) as counted
    where counted.precedence = 1
{%- endmacro %}
