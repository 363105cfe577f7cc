{#- What stands at `path`, a list of attribute names, in a JSON document: string, number, boolean,
    object, array or null; null where nothing stands. -#}
{% macro json_type(document, path) -%}
    {{ return(adapter.dispatch('json_type')(document, path)) }}
{%- endmacro %}

{% macro postgres__json_type(document, path) -%}
    jsonb_typeof({{ json_path(document, path) }})
{%- endmacro %}

{% macro redshift__json_type(document, path) -%}
    json_typeof({{ json_path(document, path) }})
{%- endmacro %}
