{#- Body of quarantined_<entity> of a dimension: each unfit change, once however often it came. -#}
{% macro quarantined_changes(changes) -%}
with unfit as (

    select
        *,
        row_number() over (partition by change_key order by _batch_id) as repetition
    from {{ changes }}
    where
        _is_live
        and quarantine_reasons is not null
        {%- if is_incremental() %}
        and change_key in ({{ kept(affected_changes(changes)) }})
        {%- endif %}

)

select {{ contract_columns() }}
from unfit
where repetition = 1
{%- endmacro %}

{% macro affected_changes(changes) -%}
    select change_key
    from {{ changes }}
    where {{ is_claimed('_batch_id') }}
{%- endmacro %}
