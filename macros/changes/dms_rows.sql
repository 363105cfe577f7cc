{#- The source tables that hold what AWS DMS writes of one table: full loads and changes, each as CSV
    and as Parquet. -#}
{% macro dms_tables(table) -%}
    {{ return([table ~ '_full', table ~ '_changes', table ~ '_full_parquet', table ~ '_changes_parquet']) }}
{%- endmacro %}

{#- Their names in the ledger. -#}
{% macro dms_source_tables(table) -%}
    {%- set names = [] -%}
    {%- for name in dms_tables(table) -%}
        {%- do names.append('sales.' ~ name) -%}
    {%- endfor -%}
    {{ return(names) }}
{%- endmacro %}

{#- Staging of a table that DMS writes to S3: every column as the text that DMS writes in CSV (`NULL`
    is its own mark), so that one set of rules reads both; what the row says was done, and where it
    stands in the order of changes. A row of a full load is an insert at the time that the task
    started, when the rows were not yet read: changes that committed later stand after it.
      columns  the source table's columns
      key      its primary key, one column; `bi_<key>` is its value before the change
      times    those of the columns that are timestamps in Parquet -#}
{% macro dms_rows(table, columns, key, times=[]) -%}
with unioned as (

    {% for name in dms_tables(table) -%}
    {%- set is_full_load = '_full' in name -%}
    select
        {{ "'I'" if is_full_load else dms_text('op') }} as source_operation,
        {% for column in ['change_seq', 'committed_at'] -%}
        {{ dms_text(column) }} as source_{{ column }},
        {% endfor -%}
        {% for column in ['bi_' ~ key] + columns -%}
        {% if name.endswith('_parquet') and column in times -%}
        case
            when {{ column }} = date_trunc('second', {{ column }}) then to_char({{ column }}, 'YYYY-MM-DD HH24:MI:SS')
            else to_char({{ column }}, 'YYYY-MM-DD HH24:MI:SS.US')
        end
        {%- elif name.endswith('_parquet') -%}
        {{ dms_text('cast(' ~ column ~ ' as varchar(200))') }}
        {%- else -%}
        {{ dms_text(column) }}
        {%- endif %} as {{ 'former_key' if column == 'bi_' ~ key else column }},
        {% endfor -%}
        {{ 'true' if is_full_load else 'false' }} as is_full_load,
        _batch_id,
        _loaded_at
    from {{ source('sales', name) }}
    {%- if not loop.last %}
    union all
    {% endif -%}
    {% endfor %}

)

select
    ---------- what was done, and when: DMS's sequence is 16 digits of time and 19 that count
    cast(source_operation as varchar(16)) as source_operation,
    cast(source_change_seq as varchar(50)) as source_change_seq,
    cast(source_committed_at as varchar(40)) as source_committed_at,
    cast(former_key as varchar(64)) as former_key,
    cast({{ key }} as varchar(64)) as source_key,
    {{ safe_timestamp('source_committed_at') }} as changed_at,
    case
        when is_full_load
            then
                substring(to_char({{ safe_timestamp('source_committed_at') }}, 'YYYYMMDDHH24MISSMS'), 1, 16)
                || '0000000000000000000'
        when source_change_seq ~ '^[0-9]{35}$' then source_change_seq
    end as change_sequence,

    ---------- as the source wrote it
    {% for column in columns -%}
    {{ column }},
    {% endfor %}
    ---------- load
    _batch_id,
    _loaded_at
from unioned
{%- endmacro %}

{% macro dms_text(field) -%}
    {{ text_or_null(field, null_text='NULL') }}
{%- endmacro %}
