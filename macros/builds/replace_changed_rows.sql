{#- For small tables that follow a view and must change in place (a dropped table takes its grants
    and the views on it along): the pre-hook deletes the rows that the view does not have, the
    body inserts those that the table does not have. Nothing changed: nothing is written. -#}

{% macro delete_rows_unlike(view, key) -%}
    {%- if execute and is_incremental() -%}
        delete from {{ this }}
        where
            {{ key }} in (
                select unlike.{{ key }}
                from (
                    select {{ contract_columns() }} from {{ this }}
                    except
                    select {{ contract_columns() }} from {{ view }}
                ) as unlike
            )
    {%- endif -%}
{%- endmacro %}

{% macro rows_not_in_this(view) -%}
select {{ contract_columns() }}
from {{ view }}
{%- if is_incremental() %}
except
select {{ contract_columns() }}
from {{ this }}
{%- endif %}
{%- endmacro %}
