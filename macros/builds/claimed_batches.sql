{#- A query of the batches whose events this model has claimed in this build. -#}
{% macro claimed_batches() -%}
    select events.batch_id
    from {{ source('ledger', 'applied') }} as claimed
    inner join {{ source('ledger', 'events') }} as events on claimed.event_id = events.event_id
    where claimed.model = '{{ this.identifier }}' and claimed.invocation_id = '{{ invocation_id }}'
{%- endmacro %}

{#- Condition: the batch in `column` is among them. Their bounds say nothing more; with them a scan of
    a table that is sorted by batch (or indexed, on PostgreSQL) reads these batches only. -#}
{% macro is_claimed(column) -%}
    {{ column }} >= (select min(claimed.batch_id) from ({{ claimed_batches() }}) as claimed)
    and {{ column }} <= (select max(claimed.batch_id) from ({{ claimed_batches() }}) as claimed)
    and {{ column }} in ({{ claimed_batches() }})
{%- endmacro %}

{#- Pre-hook of a model that holds what batches brought: delete those that the body inserts again. -#}
{% macro delete_claimed() -%}
    {%- if execute and is_incremental() -%}
        delete from {{ this }}
        where {{ is_claimed('_batch_id') }}
    {%- endif -%}
{%- endmacro %}
