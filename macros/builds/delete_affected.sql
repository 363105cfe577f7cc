{#- Pre-hook of a model that recomputes keys: delete those that the body is going to insert again.
    (dbt's delete+insert cannot delete a key that has no row any more.) The keys are found once, and
    kept in a temporary table: a planner that knows how few they are looks each up.
      key       a column, or several: 'experiment_id, measured_date'
      affected  a query of the same columns -#}
{% macro delete_affected(key, affected) -%}
    {%- if execute and is_incremental() -%}
        {%- do execute_in_transaction('drop table if exists ' ~ affected_table()) -%}
        {%- do execute_in_transaction('create temporary table ' ~ affected_table() ~ ' as ' ~ affected) -%}
        {%- if analyze_table(affected_table()) -%}
            {%- do execute_in_transaction(analyze_table(affected_table())) -%}
        {%- endif -%}
        {%- set columns = key.split(',') | map('trim') | list -%}
        delete from {{ this }}
        where
            exists (
                select 1
                from {{ affected_table() }} as affected
                where
                    {% for column in columns -%}
                    affected.{{ column }} = {{ this }}.{{ column }}
                    {%- if not loop.last %} and {% endif %}
                    {%- endfor %}
            )
    {%- endif -%}
{%- endmacro %}

{% macro affected_table() -%} {{ this.identifier }}__affected {%- endmacro %}

{#- For the body: the keys that delete_affected kept. Where it has not run (`dbt compile`, `dbt show`)
    the query itself. -#}
{% macro kept(affected) -%}
    {{ return('select * from ' ~ affected_table() if execute and is_writing_command() else affected) }}
{%- endmacro %}
