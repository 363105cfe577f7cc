{#- on-run-end: give the build back, and say how many exports wait for `warehouse run`. -#}
{% macro finish_build() -%}
    {%- if execute and is_writing_command() -%}
        {%- set failed = results | selectattr('status', 'in', ['error', 'fail', 'runtime error']) | list -%}
        {%- do release_build('failed' if failed else 'success') -%}
        {%- for row in query_in_transaction(waiting_exports()) if flags.WHICH == 'build' -%}
            {%- do exceptions.warn(
                row[1] ~ ' export(s) wait for ' ~ row[0] ~ ': run `warehouse run`, which replays them in order.') -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- Ends what take_build began, and commits. -#}
{% macro release_build(outcome) -%}
    {%- do execute_in_transaction('update ' ~ source('ledger', 'builds') ~ ' set finished_at = ' ~ utc_now()
        ~ ", outcome = '" ~ outcome ~ "' where invocation_id = '" ~ invocation_id ~ "'") -%}
    {%- do adapter.commit() -%}
{%- endmacro %}
