{#- CTEs up to `order_lines`: the lines of what each order is now (all, or those whose record is in
    `affected`), fit or not, of orders that are facts. The record of the newest change has them; a
    repetition of it has them again. -#}
{% macro order_lines(affected) -%}
{{ newest_changes(ref('int_orders__changes'), key=['record_key', 'order_id'], affected=affected) }},

ranked_lines as (

    select
        lines.*,
        orders.user_id,
        orders.ordered_at,
        {{ hash_key("lines.order_id || '|' || cast(lines.line_number as varchar(10))") }} as order_line_key,
        row_number() over (
            partition by lines.record_key, lines.event_id, lines.line_number
            order by lines.product_id, lines.source_quantity, lines.source_amount, lines._batch_id
        ) as repetition
    from newest_changes as orders
    inner join {{ ref('int_order_lines__parsed') }} as lines
        on
            orders.record_key = lines.record_key
            and orders.event_id = lines.event_id
            and orders._batch_id = lines._batch_id
    where orders.quarantine_reasons is null

),

order_lines as (

    select * from ranked_lines
    where repetition = 1

)
{%- endmacro %}
