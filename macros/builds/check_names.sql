{#- Refuses a name that is misspelt: it would stand for no events, for ever, and nobody would notice. -#}
{% macro check_names(source_tables=[], models=[]) -%}
    {%- if execute -%}
        {%- set tables = [] -%}
        {%- for node in graph.sources.values() -%}
            {%- do tables.append(node.source_name ~ '.' ~ node.name) -%}
        {%- endfor -%}
        {%- set nodes = graph.nodes.values() | selectattr('resource_type', 'in', ['model', 'snapshot'])
            | map(attribute='name') | list -%}
        {%- for name in source_tables if name not in tables -%}
            {{ exceptions.raise_compiler_error(
                "There is no source table '" ~ name ~ "'; there are: " ~ tables | sort | join(', ')) }}
        {%- endfor -%}
        {%- for name in models if name not in nodes -%}
            {{ exceptions.raise_compiler_error(
                "There is no model '" ~ name ~ "' whose events could be followed; there are: " ~ nodes | sort | join(', ')) }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
