{#- Staging of a table that AWS DMS writes to S3 as CSV: every column as text (`NULL` is DMS's own
    mark), what the row says was done, and where it stands in the order of changes.
      relation      the raw table
      columns       the source table's columns
      key           its primary key, one column; `bi_<key>` is its value before the change
      is_full_load  a row of a full load is an insert at the time that the task started, when the
                    rows were not yet read: changes that committed later stand after it -#}
{% macro dms_rows(relation, columns, key, is_full_load=false) -%}
with source as (

    select * from {{ relation }}

),

trimmed as (

    select
        {% for column in columns -%}
        {{ text_or_null(column, null_text='NULL') }} as {{ column }},
        {% endfor -%}
        {{ "'I'" if is_full_load else text_or_null('op', null_text='NULL') }} as source_operation,
        {{ text_or_null('change_seq', null_text='NULL') }} as source_change_seq,
        {{ text_or_null('committed_at', null_text='NULL') }} as source_committed_at,
        {{ text_or_null('bi_' ~ key, null_text='NULL') }} as former_key,
        _batch_id,
        _loaded_at
    from source

)

{{ dms_ordered(columns, key, is_full_load) }}
{%- endmacro %}

{#- The end of it, for a model that has made `trimmed` by other means. -#}
{% macro dms_ordered(columns, key, is_full_load=false) -%}
select
    ---------- what was done, and when: DMS's sequence is 16 digits of time and 19 that count
    cast(source_operation as varchar(16)) as source_operation,
    cast(source_change_seq as varchar(50)) as source_change_seq,
    cast(source_committed_at as varchar(40)) as source_committed_at,
    cast(former_key as varchar(64)) as former_key,
    cast({{ key }} as varchar(64)) as source_key,
    {{ safe_timestamp('source_committed_at') }} as changed_at,
    {% if is_full_load -%}
    substring(to_char({{ safe_timestamp('source_committed_at') }}, 'YYYYMMDDHH24MISSMS'), 1, 16)
    || '0000000000000000000' as change_sequence,
    {%- else -%}
    case when source_change_seq ~ '^[0-9]{35}$' then source_change_seq end as change_sequence,
    {%- endif %}

    ---------- as the source wrote it
    {% for column in columns -%}
    {{ column }},
    {% endfor %}
    ---------- load
    _batch_id,
    _loaded_at
from trimmed
{%- endmacro %}
