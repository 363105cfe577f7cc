{#- Post-hook of a materialized view: comments on its columns, as persist_docs makes them on those
    of tables. dbt looks for the columns in information_schema, which has no materialized views in
    PostgreSQL, and finds none. Redshift documents comments on columns of tables and views only. -#}
{% macro comment_columns() -%}
    {{ return(adapter.dispatch('comment_columns')()) }}
{%- endmacro %}

{% macro postgres__comment_columns() -%}
    {%- for column in model.columns.values() %}
    comment on column {{ this }}.{{ adapter.quote(column.name) }} is {{ postgres_escape_comment(column.description) }};
    {%- endfor %}
{%- endmacro %}

{% macro redshift__comment_columns() -%}
{%- endmacro %}
