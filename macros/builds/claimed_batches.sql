{#- A query of the batches whose events this model has claimed in this build. -#}
{% macro claimed_batches() -%}
    select events.batch_id
    from {{ source('ledger', 'applied') }} as claimed
    inner join {{ source('ledger', 'events') }} as events on claimed.event_id = events.event_id
    where claimed.model = '{{ this.identifier }}' and claimed.invocation_id = '{{ invocation_id }}'
{%- endmacro %}

{#- A query of the batches that were superseded, as far as this model has claimed. Not as the ledger
    says by now: a replacement that commits meanwhile would take the old rows away before the new
    ones are here. -#}
{% macro superseded_as_claimed() -%}
    select events.batch_id
    from {{ source('ledger', 'applied') }} as applied
    inner join {{ source('ledger', 'events') }} as events on applied.event_id = events.event_id
    where applied.model = '{{ this.identifier }}' and events.event = 'superseded'
{%- endmacro %}
