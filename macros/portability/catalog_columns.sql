{#- A query (position, column_name, data_type) of a relation's columns as the catalog has them, with
    lengths, in PostgreSQL's spelling. dbt's own look-up does not see materialized views. -#}
{% macro catalog_columns(relation) -%}
    {{ return(adapter.dispatch('catalog_columns')(relation)) }}
{%- endmacro %}

{% macro postgres__catalog_columns(relation) -%}
    select
        attnum as position,
        cast(attname as varchar(127)) as column_name,
        cast(format_type(atttypid, atttypmod) as varchar(127)) as data_type
    from pg_attribute
    where attrelid = cast('{{ relation }}' as regclass) and attnum > 0 and not attisdropped
{%- endmacro %}

{% macro redshift__catalog_columns(relation) -%}
    select
        ordinal_position as position,
        cast(column_name as varchar(127)) as column_name,
        cast(
            data_type || case
                when data_type = 'character varying' then '(' || character_maximum_length || ')'
                when data_type = 'numeric' then '(' || numeric_precision || ',' || numeric_scale || ')'
                else ''
            end as varchar(127)
        ) as data_type
    from svv_columns
    where table_schema = '{{ relation.schema }}' and table_name = '{{ relation.identifier }}'
{%- endmacro %}
