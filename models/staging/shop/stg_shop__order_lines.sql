with source as (

    select * from {{ source('shop', 'orders') }}

),

elements as (

    select
        {{ json_text('document', ['eventID']) }} as event_id,
        {{ json_text('document', ['dynamodb', 'Keys', 'order_id', 'S']) }} as order_id,
        position + 1 as line_number,
        {{ json_text('line', ['M', 'product_id', 'S']) }} as product_id,
        {{ json_text('line', ['M', 'quantity', 'N']) }} as source_quantity,
        {{ json_text('line', ['M', 'amount', 'N']) }} as source_amount,
        _batch_id,
        _loaded_at
    from source
    {{ json_elements('source', 'document', ['dynamodb', 'NewImage', 'items', 'L'], 'line', 'position') }}

),

renamed as (

    select
        ---------- ids
        {{ text_or_null('event_id') }} as event_id,
        {{ text_or_null('order_id') }} as order_id,
        cast(line_number as integer) as line_number,
        {{ text_or_null('product_id') }} as product_id,

        ---------- as the source wrote it
        source_quantity,
        source_amount,

        ---------- numerics
        {{ safe_decimal('source_quantity') }} as quantity,
        {{ safe_decimal('source_amount') }} as amount,

        ---------- load
        _batch_id,
        _loaded_at
    from elements

)

select * from renamed
