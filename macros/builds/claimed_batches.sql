{#- A query of the batches whose events this model has claimed in this build. -#}
{% macro claimed_batches() -%}
    select events.batch_id
    from {{ source('ledger', 'applied') }} as claimed
    inner join {{ source('ledger', 'events') }} as events on claimed.event_id = events.event_id
    where claimed.model = '{{ this.identifier }}' and claimed.invocation_id = '{{ invocation_id }}'
{%- endmacro %}
