-- Of a deleted item, what it was: its old image, or its keys alone if it was made and deleted
-- between two exports.
with source as (

    select * from {{ source('sensors', 'readings_changes') }}

),

decoded as (

    {%- for image in ['NewImage', 'OldImage'] %}
    select
        {% for attribute in reading_attributes() + ['ttl'] -%}
        {{ dynamodb_text('document', [image if attribute not in ['sensor_id', 'timestamp'] else 'Keys', attribute]) }}
            as item_{{ attribute }},
        {% endfor -%}
        {{ dynamodb_text('document', [image, 'location', 'M', 'latitude']) }} as item_latitude,
        {{ dynamodb_text('document', [image, 'location', 'M', 'longitude']) }} as item_longitude,
        {{ json_text('document', ['Metadata', 'WriteTimestampMicros', 'N']) }} as item_written_at,
        {{ 'false' if image == 'NewImage' else 'true' }} as is_deleted,
        _batch_id,
        _loaded_at
    from source
    where {{ 'not ' if image == 'OldImage' }}{{ json_exists('document', ['NewImage']) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

bounded as (

    select
        {{ reading_texts() }},
        {{ epoch_seconds('item_ttl') }} as expires_at_seconds,
        {{ text_within('item_written_at', 40) }} as source_written_at,
        cast(case when item_written_at ~ '^[0-9]{1,17}$' then item_written_at end as bigint) as written_at_microseconds,
        is_deleted,
        _batch_id,
        _loaded_at
    from decoded

),

renamed as (

    select
        {{ reading_values() }},
        {{ timestamp_from_microseconds('written_at_microseconds') }} as written_at,
        source_written_at,

        ---------- booleans; expired by the time of writing, never the clock
        is_deleted,
        coalesce(expires_at_seconds * 1000000 <= written_at_microseconds, false) as is_expired,

        ---------- load
        _batch_id,
        _loaded_at
    from bounded

)

select * from renamed
