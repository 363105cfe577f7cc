{#- CTEs up to `history`: the versions (key, columns, is_deleted, dbt_valid_from, dbt_valid_to: as a
    snapshot has them) that the changes of each key make, for dimension_versions. Changes that are
    not fit take no part. A version begins when its change was committed; if the source's clock went
    back, when the latest change before it was. Of several changes at one instant the last one
    counts, and one that changes nothing makes no version. A deletion keeps the last attributes. -#}
{% macro change_history(changes, key, columns) -%}
started as (

    select
        changes.*,
        max(changed_at) over (
            partition by {{ key }}
            order by {{ change_order('asc') }}
            rows between unbounded preceding and current row
        ) as started_at
    from {{ changes }} as changes
    where _is_live and quarantine_reasons is null

),

ranked as (

    select
        started.*,
        row_number() over (partition by {{ key }}, started_at order by {{ change_order('desc') }}) as recency
    from started

),

compared as (

    select
        ranked.*,
        {% for column in ['change_operation', 'row_hash'] + columns -%}
        lag({{ column }}, 1) over (partition by {{ key }} order by started_at) as former_{{ column }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from ranked
    where recency = 1

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
