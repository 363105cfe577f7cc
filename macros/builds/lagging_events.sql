{#- A query of the events that one model has applied and another, which follows it, has not: after a
    partial build a balance between the two means nothing until the second is built. -#}
{% macro lagging_events(upstream, downstream) -%}
    {%- do check_names(models=[upstream, downstream]) -%}
    select event_id from {{ source('ledger', 'applied') }} where model = '{{ upstream }}'
    except
    select event_id from {{ source('ledger', 'applied') }} where model = '{{ downstream }}'
{%- endmacro %}
