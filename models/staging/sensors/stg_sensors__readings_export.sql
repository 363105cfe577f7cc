with source as (

    select * from {{ source('sensors', 'readings_export') }}

),

exports as (

    select * from {{ source('ledger', 'batches') }}
    where source_table = 'sensors.readings_export'

),

decoded as (

    select
        {% for attribute in reading_attributes() + ['ttl'] -%}
        {{ dynamodb_text('source.document', ['Item', attribute]) }} as item_{{ attribute }},
        {% endfor -%}
        {{ dynamodb_text('source.document', ['Item', 'location', 'M', 'latitude']) }} as item_latitude,
        {{ dynamodb_text('source.document', ['Item', 'location', 'M', 'longitude']) }} as item_longitude,
        exports.version_at as exported_at,
        source._batch_id,
        source._loaded_at
    from source
    inner join exports on source._batch_id = exports.batch_id

),

bounded as (

    select
        {{ reading_texts() }},
        {{ epoch_seconds('item_ttl') }} as expires_at_seconds,
        exported_at,
        _batch_id,
        _loaded_at
    from decoded

),

renamed as (

    select
        {{ reading_values() }},
        exported_at,

        ---------- booleans: by the export's own time, never the clock
        coalesce(expires_at_seconds * 1000000 <= {{ epoch_microseconds('exported_at') }}, false) as is_expired,

        ---------- load
        _batch_id,
        _loaded_at
    from bounded

)

select * from renamed
