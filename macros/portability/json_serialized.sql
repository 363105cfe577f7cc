{#- The JSON value at `path`, a list of attribute names, in a JSON document, as JSON text; null where
    nothing stands, or more than 65,535 bytes, which fail on Redshift. Blanks, and with them the
    size, and the order of attributes are the engine's own: for small values. -#}
{% macro json_serialized(document, path) -%}
    {{ return(adapter.dispatch('json_serialized')(document, path)) }}
{%- endmacro %}

{% macro postgres__json_serialized(document, path) -%}
    {%- set found = 'cast(' ~ json_path(document, path) ~ ' as text)' -%}
    case when octet_length({{ found }}) <= 65535 then {{ found }} end
{%- endmacro %}

{% macro redshift__json_serialized(document, path) -%}
    case when json_size({{ json_path(document, path) }}) <= 65535 then json_serialize({{ json_path(document, path) }}) end
{%- endmacro %}
