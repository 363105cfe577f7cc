with source as (

    select * from {{ source('stream', 'readings') }}

),

decoded as (

    select
        {% for attribute in reading_attributes() -%}
        {{ json_text('document', [attribute]) }} as item_{{ attribute }},
        {% endfor -%}
        {{ json_text('document', ['location', 'latitude']) }} as item_latitude,
        {{ json_text('document', ['location', 'longitude']) }} as item_longitude,
        _batch_id,
        _loaded_at
    from source

),

bounded as (

    select
        {{ reading_texts() }},
        _batch_id,
        _loaded_at
    from decoded

),

renamed as (

    select
        {{ reading_values() }},

        ---------- load
        _batch_id,
        _loaded_at
    from bounded

)

select * from renamed
