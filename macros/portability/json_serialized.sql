{#- The JSON value at `path`, a list of attribute names, in a JSON document, as JSON text; null where
    nothing stands. Blanks and the order of attributes are the engine's own. -#}
{% macro json_serialized(document, path) -%}
    {{ return(adapter.dispatch('json_serialized')(document, path)) }}
{%- endmacro %}

{% macro postgres__json_serialized(document, path) -%}
    cast({{ json_path(document, path) }} as text)
{%- endmacro %}

{% macro redshift__json_serialized(document, path) -%}
    json_serialize({{ json_path(document, path) }})
{%- endmacro %}
