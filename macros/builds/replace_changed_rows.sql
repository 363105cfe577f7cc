{#- For small tables that follow a view and must change in place (a dropped table takes its grants
    and the views on it along): the pre-hook deletes the rows that the view does not have, the
    body inserts those that the table does not have. Nothing changed: nothing is written. -#}

{% macro delete_rows_unlike(view, key) -%}
    {%- if execute and is_incremental() -%}
        {%- set columns = adapter.get_columns_in_relation(this) | map(attribute='name') | join(', ') -%}
        delete from {{ this }}
        where
            {{ key }} in (
                select unlike.{{ key }}
                from (
                    select {{ columns }} from {{ this }}
                    except
                    select {{ columns }} from {{ view }}
                ) as unlike
            )
    {%- endif -%}
{%- endmacro %}

{% macro rows_not_in_this(view) -%}
    {%- set columns -%}
        {%- for column in model.columns %}{{ column }}{% if not loop.last %}, {% endif %}{% endfor -%}
    {%- endset -%}
    select {{ columns }} from {{ view }}
    {%- if is_incremental() %}
    except
    select {{ columns }} from {{ this }}
    {%- endif %}
{%- endmacro %}
