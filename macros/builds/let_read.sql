{#- Post-hook, in the model's transaction: let the roles read this model that access.mart_readers
    names for it (`open` or `secure`). Said at each build, because a full refresh makes a new table
    without grants. Not dbt's `grants` config: it revokes whatever else was granted, and fails
    where a role could not be created. Not default privileges: they hold for one creator only. -#}
{% macro let_read(kind) -%}
    {%- if execute -%}
        {%- set roles = query_in_transaction(
            'select role_name from ' ~ source('access', 'mart_readers') ~ " where reads = '" ~ kind
            ~ "' order by role_name") -%}
        {%- if roles -%}
        {{ grant_select(this, roles | map(attribute=0)) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
