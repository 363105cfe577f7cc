{#- CTEs up to `history`: the versions (key, columns, is_deleted, dbt_valid_from, dbt_valid_to: as a
    snapshot has them) that the changes of each key make, for dimension_versions. Changes that are
    not fit take no part. A version begins when its change was committed, and at least a microsecond
    after the one before it: so each of several within one tick of the source's clock keeps its own,
    and if that clock went back, the sequence is believed. A change that changes nothing makes no
    version. A deletion keeps the last attributes. -#}
{% macro change_history(changes, key, columns) -%}
numbered as (

    select
        changes.*,
        dense_rank() over (partition by {{ key }} order by {{ change_order('asc', repeats=false) }}) as position
    from {{ changes }} as changes
    where _is_live and quarantine_reasons is null

),

-- The earliest times that follow each other by a microsecond, none before its change.
started as (

    select
        numbered.*,
        position + max({{ epoch_microseconds('changed_at') }} - position) over (
            partition by {{ key }}
            order by position
            rows between unbounded preceding and current row
        ) as started_microseconds
    from numbered

),

compared as (

    select
        started.*,
        {{ timestamp_from_microseconds('started_microseconds') }} as started_at,
        {% for column in ['change_operation', 'row_hash'] + columns -%}
        lag({{ column }}, 1) over (partition by {{ key }} order by {{ change_order('asc') }}) as former_{{ column }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from started

),

history as (

    select
        {{ key }},
        {% for column in columns -%}
        case
            when change_operation = 'D' and former_row_hash is not null then former_{{ column }}
            else {{ column }}
        end as {{ column }},
        {% endfor -%}
        change_operation = 'D' as is_deleted,
        started_at as dbt_valid_from,
        coalesce(lead(started_at, 1) over (partition by {{ key }} order by started_at), {{ max_timestamp() }})
            as dbt_valid_to
    from compared
    where
        former_row_hash is null
        or (change_operation = 'D' and former_change_operation <> 'D')
        or (change_operation <> 'D' and (former_change_operation = 'D' or row_hash <> former_row_hash))

)
{%- endmacro %}
