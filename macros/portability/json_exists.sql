{#- Condition: there is something at `path`, a list of attribute names, in a JSON document; a JSON
    null is something. -#}
{% macro json_exists(document, path) -%}
    {{ return(adapter.dispatch('json_exists')(document, path)) }}
{%- endmacro %}

{% macro postgres__json_exists(document, path) -%}
    {{ json_path(document, path) }} is not null
{%- endmacro %}

{#- AWS does not say whether a JSON null IS NULL. It has a type, which a missing attribute has not. -#}
{% macro redshift__json_exists(document, path) -%}
    json_typeof({{ json_path(document, path) }}) is not null
{%- endmacro %}
