{#- A query that counts the other sessions that dbt, or this user, has open in this database.
    A build that died has none. -#}
{% macro other_dbt_sessions() -%}
    {{ return(adapter.dispatch('other_dbt_sessions')()) }}
{%- endmacro %}

{#- A session that was just closed is listed for some milliseconds: wait, and look again. -#}
{% macro postgres__other_dbt_sessions() -%}
    select count(*)
    from (select pg_sleep(0.5)) as pause
    cross join lateral pg_stat_get_activity(null) as session
    where
        session.datid = (select oid from pg_database where datname = current_database())
        and session.application_name = '{{ target.application_name or "dbt" }}'
        and session.pid <> pg_backend_pid()
{%- endmacro %}

{#- The view's columns are documented as char(50): padded, and the user's number as text. -#}
{% macro redshift__other_dbt_sessions() -%}
    select count(*)
    from sys_session_history
    where
        end_time is null
        and trim(database_name) = current_database()
        and trim(cast(user_id as varchar(50))) = cast(current_user_id as varchar(50))
        and session_id <> pg_backend_pid()
{%- endmacro %}
