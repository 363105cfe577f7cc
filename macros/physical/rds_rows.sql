{#- The rows of a table of the research database, from files of CSV and from snapshots' exports
    (Parquet, raw table `<table>_parquet`), all as the text that CSV has, so that one set of rules
    reads both.
      columns  the table's columns
      times    those that a snapshot's export writes as PostgreSQL does: of an offset, only the hours
      numbers  those that are numbers in Parquet -#}
{% macro rds_rows(table, columns, times=[], numbers=[]) -%}
select
    {% for column in columns -%}
    {{ column }},
    {% endfor -%}
    _batch_id,
    _loaded_at
from {{ source('research_db', table) }}
union all
select
    {% for column in columns -%}
    {% if column in times -%}
    {{ column }} || case when {{ column }} ~ ':[0-9]{2}([.][0-9]+)?[+-][0-9]{2}$' then '00' else '' end
    {%- elif column in numbers -%}
    cast({{ column }} as varchar(32))
    {%- else -%}
    {{ column }}
    {%- endif %} as {{ column }},
    {% endfor -%}
    _batch_id,
    _loaded_at
from {{ source('research_db', table ~ '_parquet') }}
{%- endmacro %}
