{#- on-run-start: take the build. -#}
{% macro start_build() -%}
    {%- if execute and is_writing_command() -%}
        {%- do check_json_names() -%}
        {%- do take_build() -%}
    {%- endif -%}
{%- endmacro %}

{% macro is_writing_command() -%}
    {{ return(flags.WHICH in ['build', 'run', 'retry', 'seed', 'snapshot']) }}
{%- endmacro %}

{#- Makes this invocation the one that builds this target: two cannot at once. A build that died
    has no database session any more, and is taken over; should it wake up, its claims fail. -#}
{% macro take_build() -%}
    {%- set builds = source('ledger', 'builds') -%}
    {%- for table in [builds, source('ledger', 'raw_columns'), source('access', 'mart_readers')] -%}
        {%- if adapter.get_relation(table.database, table.schema, table.identifier) is none -%}
            {{ exceptions.raise_compiler_error(
                'There is no table ' ~ table.identifier ~ ' in schema ' ~ table.schema
                ~ ': run `warehouse setup --target ' ~ target.name ~ '` first.') }}
        {%- endif -%}
    {%- endfor -%}
    {%- do execute_in_transaction(lock_model('builds')) -%}
    {%- set unfinished = query_in_transaction(
        'select invocation_id, db_user, started_at from ' ~ builds ~ ' where finished_at is null') -%}
    {%- if unfinished and query_in_transaction(other_dbt_sessions())[0][0] > 0 -%}
        {%- set other = unfinished[0] -%}
        {{ exceptions.raise_compiler_error(
            'Another build holds this target: invocation ' ~ other[0] ~ ' of user ' ~ other[1]
            ~ ', since ' ~ other[2] ~ ' UTC. Wait until it is done, then run this again.') }}
    {%- endif -%}
    {%- do execute_in_transaction('update ' ~ builds ~ ' set finished_at = ' ~ utc_now()
        ~ ", outcome = 'abandoned' where finished_at is null") -%}
    {%- do execute_in_transaction('insert into ' ~ builds ~ ' (invocation_id, started_at, db_user) select '
        ~ "'" ~ invocation_id ~ "', " ~ utc_now() ~ ', current_user') -%}
    {%- do adapter.commit() -%}
{%- endmacro %}
