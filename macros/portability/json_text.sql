{#- The text of the scalar at `path`, a list of attribute names, in a JSON document; null where there
    is none, a JSON null, an object or an array. An empty path is the document itself.
    A number is written as the warehouse keeps it: the value is the source's, its spelling need
    not be; what is compared as text should be a string in the source. -#}
{% macro json_text(document, path) -%}
    {{ return(adapter.dispatch('json_text')(document, path)) }}
{%- endmacro %}

{% macro postgres__json_text(document, path) -%}
    {%- set found = json_path(document, path) -%}
    case when jsonb_typeof({{ found }}) in ('string', 'number', 'boolean') then {{ found }} #>> '{}' end
{%- endmacro %}

{#- The cast gives null for what is no scalar. -#}
{% macro redshift__json_text(document, path) -%}
    cast({{ json_path(document, path) }} as varchar(65535))
{%- endmacro %}
