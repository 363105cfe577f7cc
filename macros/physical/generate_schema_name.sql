{#- A target whose schema is `research_warehouse` has bare schema names; any other target's schema
    is the prefix of all of them. The loader follows the same rule (loaders/identifiers.py). -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- elif target.schema == 'research_warehouse' -%}
        {{ custom_schema_name | trim }}
    {%- else -%}
        {{ target.schema }}_{{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
