{#- Runs a statement inside the node's transaction, opening it if need be, and returns its rows.
    (dbt's run_query opens none: on Redshift each of its statements would commit by itself.) -#}
{% macro query_in_transaction(sql) -%}
    {%- call statement('query_in_transaction', fetch_result=True) -%} {{ sql }} {%- endcall -%}
    {{ return(load_result('query_in_transaction').table.rows) }}
{%- endmacro %}

{#- The same for a statement that returns no rows. -#}
{% macro execute_in_transaction(sql) -%}
    {%- call statement('execute_in_transaction') -%} {{ sql }} {%- endcall -%}
{%- endmacro %}
