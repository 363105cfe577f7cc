{#- on-run-end: give the build back, and say how many exports wait for `warehouse run`. -#}
{% macro finish_build() -%}
    {%- if execute and is_writing_command() -%}
        {%- set failed = results | selectattr('status', 'in', ['error', 'fail', 'runtime error']) | list -%}
        {%- do execute_in_transaction('update ' ~ source('ledger', 'builds') ~ ' set finished_at = ' ~ utc_now()
            ~ ", outcome = '" ~ ('failed' if failed else 'success') ~ "' where invocation_id = '"
            ~ invocation_id ~ "'") -%}
        {%- do adapter.commit() -%}
        {%- for row in query_in_transaction(waiting_exports()) if flags.WHICH == 'build' -%}
            {%- do exceptions.warn(
                row[1] ~ ' export(s) wait for ' ~ row[0] ~ ': run `warehouse run`, which replays them in order.') -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
