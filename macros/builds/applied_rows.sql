{#- Body of a model that parses raw rows once, batch by batch: the rows of the claimed batches, with
    _is_live. -#}
{% macro applied_rows(validated) -%}
with validated as (

    select * from {{ validated }}
    where {{ is_claimed('_batch_id') }}

),

-- As far as this build has claimed, not as the ledger says by now: a replacement that commits
-- meanwhile would take the old rows away before the new ones are here.
superseded as (

    select events.batch_id
    from {{ source('ledger', 'applied') }} as applied
    inner join {{ source('ledger', 'events') }} as events on applied.event_id = events.event_id
    where applied.model = '{{ this.identifier }}' and events.event = 'superseded'

)

select
    validated.*,
    validated._batch_id not in (select superseded.batch_id from superseded) as _is_live
from validated
{%- endmacro %}
