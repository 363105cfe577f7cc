{#- Of two changes of one key, the one that counts. The sequence decides; the rest is there so that
    two rows with one sequence come out the same whatever came first. The batch tells apart the
    `repeats` of one change. -#}
{% macro change_order(direction, repeats=true) -%}
    {%- set parts = ['change_sequence', 'changed_at', "case when change_operation = 'D' then 1 else 0 end", 'row_hash'] -%}
    {%- for part in parts + (['_batch_id'] if repeats else []) -%}
    {{ part }} {{ direction }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- CTEs `ranked_changes` and `newest_changes`: what each record of int_<entity>__changes is now (all,
    or those whose key is in `affected`), deleted ones left out.
      key  its columns: the surrogate key first. A collision is found by the test of uniqueness. -#}
{% macro newest_changes(changes, key, affected) -%}
ranked_changes as (

    select
        *,
        row_number() over (
            partition by {{ key | join(', ') }}
            order by {{ change_order('desc') }}
        ) as recency
    from {{ changes }}
    where
        _is_live
        {%- if is_incremental() %}
        and {{ key[0] }} in ({{ affected }})
        {%- endif %}

),

newest_changes as (

    select * from ranked_changes
    where recency = 1 and (change_operation <> 'D' or quarantine_reasons is not null)

)
{%- endmacro %}
