{#- A fact remembers the dimension versions that it was last keyed with
    (ledger.applied_versions), so that a build can tell which facts belong to another one now. -#}

{#- A query (natural_key, changed_from, changed_to) of the intervals in which the version of a
    dimension row is another than when `this` was built; changed_to is exclusive. -#}
{% macro changed_intervals(dimension, natural_key, dimension_key) -%}
    select
        now.{{ natural_key }} as natural_key,
        greatest(now.valid_from, before.valid_from) as changed_from,
        least(now.valid_to, before.valid_to) as changed_to
    from {{ dimension }} as now
    inner join {{ source('ledger', 'applied_versions') }} as before
        on now.{{ natural_key }} = before.natural_key
    where
        before.model = '{{ this.identifier }}'
        and before.dimension = '{{ dimension.identifier }}'
        and now.{{ dimension_key }} <> before.dimension_key
        and now.valid_from < before.valid_to
        and before.valid_from < now.valid_to
    union all
    select now.{{ natural_key }}, now.valid_from, now.valid_to
    from {{ dimension }} as now
    where
        not exists (
            select 1
            from {{ source('ledger', 'applied_versions') }} as before
            where
                before.model = '{{ this.identifier }}'
                and before.dimension = '{{ dimension.identifier }}'
                and before.natural_key = now.{{ natural_key }}
        )
    union all
    select before.natural_key, before.valid_from, before.valid_to
    from {{ source('ledger', 'applied_versions') }} as before
    where
        before.model = '{{ this.identifier }}'
        and before.dimension = '{{ dimension.identifier }}'
        and not exists (
            select 1 from {{ dimension }} as now where now.{{ natural_key }} = before.natural_key
        )
{%- endmacro %}

{#- Post-hook, in the fact's transaction: remember the versions it is keyed with now. -#}
{% macro remember_versions(dimension, natural_key, dimension_key) -%}
    {%- if execute -%}
        {%- set versions = source('ledger', 'applied_versions') -%}
        {%- do execute_in_transaction('delete from ' ~ versions ~ " where model = '" ~ this.identifier ~ "' and dimension = '"
            ~ dimension.identifier ~ "'") -%}
        insert into {{ versions }} (model, dimension, natural_key, dimension_key, valid_from, valid_to)
        select
            '{{ this.identifier }}', '{{ dimension.identifier }}', {{ natural_key }}, {{ dimension_key }},
            valid_from, valid_to
        from {{ dimension }}
    {%- endif -%}
{%- endmacro %}
