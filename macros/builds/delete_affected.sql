{#- Pre-hook of a model that recomputes keys: delete those that the body is going to insert again.
    (dbt's delete+insert cannot delete a key that has no row any more.)
      key       a column, or several: 'experiment_id, measured_date'
      affected  a query of the same columns -#}
{% macro delete_affected(key, affected) -%}
    {%- if execute and is_incremental() -%}
        {%- set columns = key.split(',') | map('trim') | list -%}
        delete from {{ this }}
        where
            exists (
                select 1
                from ({{ affected }}) as affected
                where
                    {% for column in columns -%}
                    affected.{{ column }} = {{ this }}.{{ column }}
                    {%- if not loop.last %} and {% endif %}
                    {%- endfor %}
            )
    {%- endif -%}
{%- endmacro %}
