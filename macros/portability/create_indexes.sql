{#- A model names its indexes for PostgreSQL, and its distribution and sort keys for Redshift, which
    has no indexes: dbt's own macro asks its adapter to parse them, and fails. -#}
{% macro redshift__create_indexes(relation) -%}
{%- endmacro %}

{% macro postgres__create_indexes(relation) -%}
    {{ default__create_indexes(relation) }}
{%- endmacro %}
