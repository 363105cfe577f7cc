{#- A model's work, as a set: the events that its upstream has applied and it has not. Claiming
    them is a row each in ledger.applied, written in the model's own transaction: if the model
    fails, the claim is gone with it. Use as a pre-hook, with one of:
      source_tables  the model reads raw: events come from the ledger itself
      follows        the name of the model whose applied events are to be followed, or several
    A first build or a full refresh forgets what was applied and claims everything. -#}
{% macro claim_events(source_tables=none, follows=none) -%}
    {%- if execute -%}
        {%- set models = [follows] if follows is string else follows or [] -%}
        {%- do check_names(source_tables or [], models) -%}
        {%- do begin_claim() -%}
        {%- if not is_incremental() -%}
            {%- do execute_in_transaction('delete from ' ~ source('ledger', 'applied') ~ " where model = '" ~ this.identifier ~ "'") -%}
        {%- endif -%}
        {%- set upstream -%}
            {%- if models %}
            select distinct event_id from {{ source('ledger', 'applied') }} where model in ('{{ models | join("', '") }}')
            {%- else -%}
            select event_id
            from {{ source('ledger', 'events') }}
            where source_table in ('{{ source_tables | join("', '") }}')
            {%- endif -%}
        {%- endset -%}
        {%- do return(record_claim(upstream)) -%}
    {%- endif -%}
{%- endmacro %}

{#- Locks the model and makes sure that this build was not taken over. -#}
{% macro begin_claim() -%}
    {%- if execute -%}
        {%- do execute_in_transaction(lock_model(this.identifier)) -%}
        {%- set held = query_in_transaction(
            'select count(*) from ' ~ source('ledger', 'builds') ~ " where invocation_id = '" ~ invocation_id
            ~ "' and finished_at is null") -%}
        {%- if held[0][0] != 1 -%}
            {{ exceptions.raise_compiler_error(
                'This build (' ~ invocation_id ~ ') was taken over by another one: run it again.') }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{#- The statement that records events (a query of event_id) as applied by this model. -#}
{% macro record_claim(events) -%}
    insert into {{ source('ledger', 'applied') }} (model, event_id, invocation_id, applied_at)
    select
        '{{ this.identifier }}',
        pending.event_id,
        '{{ invocation_id }}',
        {{ utc_now() }}
    from ({{ events }}) as pending
    where
        not exists (
            select 1
            from {{ source('ledger', 'applied') }} as done
            where done.model = '{{ this.identifier }}' and done.event_id = pending.event_id
        )
{%- endmacro %}
