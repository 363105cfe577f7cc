{#- Stops a build in whose sessions the attribute names of JSON documents would be folded to lower
    case, so that `Item` is never found and every value is null. -#}
{% macro check_json_names() -%}
    {{ return(adapter.dispatch('check_json_names')()) }}
{%- endmacro %}

{% macro postgres__check_json_names() -%}
{%- endmacro %}

{#- A setting of the user's, since dbt opens a session for each thread, and sets nothing in it. -#}
{% macro redshift__check_json_names() -%}
    {%- set setting = 'enable_case_sensitive_super_attribute' -%}
    {%- set row = query_in_transaction("select current_setting('" ~ setting ~ "'), current_user")[0] -%}
    {%- if row[0] not in ['on', 'true'] -%}
        {{ exceptions.raise_compiler_error(
            'JSON documents cannot be read: ' ~ setting ~ ' is off for user ' ~ row[1] ~ '. Run `warehouse setup`'
            ~ ' as a superuser, or have one run: alter user "' ~ row[1] ~ '" set ' ~ setting ~ ' to true') }}
    {%- endif -%}
{%- endmacro %}
