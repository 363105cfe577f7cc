{#- Change data of any source comes to the same form: one row per change of a key, with
      source_key        the natural key's text
      former_key        what the key was before, where the source says so
      source_operation  I, U, D
      change_sequence   digits of equal length; the newer change has the greater text
      changed_at        when it was committed, UTC
    and the attributes. What follows is a function of the set of live rows: order of loading,
    repetition and grouping are not among its arguments. -#}

{#- CTE `changes` over the relation `staged`: adds record_key (of the natural key; of a change that
    cannot be placed, its own), change_key (of the change's whole content), change_operation,
    row_hash (of the attributes), is_key_change and order_reasons. An update that changed the key counts twice: as a deletion
    under the former key, too.
      attributes  text columns, the key's own among them -#}
{% macro change_rows(staged, key, attributes) -%}
described as (

    select
        staged.*,
        {{ hash_key(length_coded(attributes)) }} as row_hash,
        {{ length_coded(['source_operation', 'source_change_seq', 'source_committed_at'] + attributes) }} as row_text,
        {% for column in ['source_operation', 'source_change_seq', 'source_committed_at'] + attributes -%}
        coalesce({{ column }}, ''){{ " || '|' || " if not loop.last }}
        {%- endfor %} as source_row,
        case when source_key is null then ',missing_{{ key }}' else '' end
        || case when coalesce(source_operation, '') not in ('I', 'U', 'D') then ',unknown_operation' else '' end
        || case when change_sequence is null then ',invalid_change_sequence' else '' end
        || case when changed_at is null then ',invalid_committed_at' else '' end as order_reasons
    from {{ staged }} as staged

),

operations as (

    select
        described.*,
        source_key as changed_key,
        source_operation as change_operation,
        0 as is_key_change
    from described
    union all
    select
        described.*,
        former_key as changed_key,
        'D' as change_operation,
        1 as is_key_change
    from described
    where order_reasons = '' and source_operation = 'U' and former_key <> source_key

),

changes as (

    select
        operations.*,
        {{ hash_key('row_text') }} as change_key,
        {{ hash_key("case when order_reasons = '' then 'id:' || changed_key else 'row:' || row_text end") }} as record_key
    from operations

)
{%- endmacro %}

{#- A text that no other values of these columns give: each with its length before it. -#}
{% macro length_coded(columns) -%}
    {%- for column in columns -%}
    coalesce(cast(length({{ column }}) as varchar(8)) || ':' || {{ column }}, '~')
    {%- if not loop.last %} || {% endif -%}
    {%- endfor -%}
{%- endmacro %}

{#- The columns of `changes` that every int_<entity>__changes has, besides its own. -#}
{% macro change_columns() -%}
        ---------- the change
        record_key,
        change_key,
        cast(change_operation as varchar(16)) as change_operation,
        cast(change_sequence as varchar(40)) as change_sequence,
        changed_at,
        row_hash,
        is_key_change = 1 as is_key_change,
        left(source_row, 1000) as source_row,
{%- endmacro %}

{#- The load columns, last. -#}
{% macro load_columns() -%}
        ---------- load
        _batch_id,
        _loaded_at
{%- endmacro %}
