{#- A snapshot is what a replay of the exports that it applied gives, in the order of their own
    times, in plain SQL that shares nothing with the snapshot's own.
      staging  the staging model of the exports
      columns  the attributes whose change makes a version -#}
{% test equals_replay(model, column_name, staging, columns) %}
with exports as (

    select
        batches.batch_id,
        batches.version_at,
        row_number() over (order by batches.version_at) as n
    from {{ source('ledger', 'applied') }} as applied
    inner join {{ source('ledger', 'events') }} as events on applied.event_id = events.event_id
    inner join {{ source('ledger', 'batches') }} as batches on events.batch_id = batches.batch_id
    where applied.model = '{{ model.identifier }}'

),

records as (

    select
        exports.n,
        staged.{{ column_name }} as natural_key
        {%- for column in columns %},
        coalesce(cast(staged.{{ column }} as varchar(4000)), '(null)') as {{ column }}
        {%- endfor %}
    from {{ staging }} as staged
    inner join exports on staged._batch_id = exports.batch_id

),

first_seen as (

    select
        natural_key,
        min(n) as n
    from records
    group by natural_key

),

-- Every key in every export since it was first seen: where it stood last, and whether it is there.
states as (

    select
        first_seen.natural_key,
        exports.n,
        exports.version_at,
        records.n is null as is_deleted,
        max(records.n) over (
            partition by first_seen.natural_key order by exports.n
            rows between unbounded preceding and current row
        ) as last_seen
    from first_seen
    inner join exports on first_seen.n <= exports.n
    left join records on first_seen.natural_key = records.natural_key and exports.n = records.n

),

described as (

    select
        states.natural_key,
        states.version_at,
        {% for column in columns -%}
        records.{{ column }},
        {% endfor -%}
        states.is_deleted,
        lag(states.is_deleted) over (partition by states.natural_key order by states.n) as was_deleted
        {%- for column in columns %},
        lag(records.{{ column }}) over (partition by states.natural_key order by states.n) as previous_{{ column }}
        {%- endfor %}
    from states
    inner join records on states.natural_key = records.natural_key and states.last_seen = records.n

),

changes as (

    select * from described
    where
        was_deleted is null
        or is_deleted <> was_deleted
        {%- for column in columns %}
        or {{ column }} <> previous_{{ column }}
        {%- endfor %}

),

expected as (

    select
        natural_key,
        {% for column in columns -%}
        {{ column }},
        {% endfor -%}
        is_deleted,
        version_at as valid_from,
        coalesce(
            lead(version_at) over (partition by natural_key order by version_at), {{ max_timestamp() }}
        ) as valid_to
    from changes

),

actual as (

    select
        {{ column_name }} as natural_key,
        {% for column in columns -%}
        coalesce(cast({{ column }} as varchar(4000)), '(null)') as {{ column }},
        {% endfor -%}
        is_deleted,
        dbt_valid_from as valid_from,
        dbt_valid_to as valid_to
    from {{ model }}

),

missing as (

    select * from expected
    except
    select * from actual

),

unexpected as (

    select * from actual
    except
    select * from expected

)

select 'missing' as difference, missing.* from missing
union all
select 'unexpected' as difference, unexpected.* from unexpected
{% endtest %}
