{#- The rows of a slowly changing dimension (type 2): its versions as a snapshot keeps them, and the
    unknown member, whose empty interval no lookup finds. The first version starts at the stated
    minimum, so that no fact precedes it. The key is a function of natural key and start.
      entity   'experiment': columns experiment_id, experiment_key
      as_of    attributes as they were in the version
      current  those of them that are also given as they are now: current_<name> -#}
{% macro dimension_versions(snapshot, entity, as_of, current) -%}
with versions as (

    select
        recorded.*,
        case
            when row_number() over (partition by {{ entity }}_id order by dbt_valid_from) = 1
                then {{ min_timestamp() }}
            else dbt_valid_from
        end as valid_from,
        dbt_valid_to as valid_to
    from {{ snapshot }} as recorded

),

latest as (

    select * from versions
    where valid_to = {{ max_timestamp() }}

),

known as (

    select
        {{ hash_key(
            "versions." ~ entity ~ "_id || '|' || cast(" ~ epoch_microseconds('versions.valid_from') ~ " as varchar(20))"
        ) }} as {{ entity }}_key,
        versions.{{ entity }}_id,
        {% for column in as_of -%}
        versions.{{ column }},
        {% endfor -%}
        {% for column in current -%}
        latest.{{ column }} as current_{{ column }},
        {% endfor -%}
        versions.is_deleted,
        versions.valid_to = {{ max_timestamp() }} as is_current,
        versions.valid_from,
        versions.valid_to
    from versions
    inner join latest on versions.{{ entity }}_id = latest.{{ entity }}_id

)

select * from known
union all
select
    cast(-1 as bigint) as {{ entity }}_key,
    '(unknown)' as {{ entity }}_id,
    {% for column in as_of -%}
    {{ "'(unknown)'" if column == entity ~ '_name' else 'null' }} as {{ column }},
    {% endfor -%}
    {% for column in current -%}
    {{ "'(unknown)'" if column == entity ~ '_name' else 'null' }} as current_{{ column }},
    {% endfor -%}
    false as is_deleted,
    true as is_current,
    {{ min_timestamp() }} as valid_from,
    {{ min_timestamp() }} as valid_to

{%- endmacro %}
