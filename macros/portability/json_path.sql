{#- The JSON value at `path`, a list of attribute names; for the other json_ macros. Attributes only:
    a name that is a number would be a place in an array on PostgreSQL. -#}
{% macro json_path(document, path) -%}
    {%- for name in path if modules.re.fullmatch('[0-9]+', name) or "'" in name or '"' in name -%}
        {{ exceptions.raise_compiler_error('json_path: ' ~ name ~ ' is not the name of an attribute') }}
    {%- endfor -%}
    {{ return(adapter.dispatch('json_path')(document, path)) }}
{%- endmacro %}

{% macro postgres__json_path(document, path) -%}
    ({{ document }} #> array[{% for name in path %}'{{ name }}'{{ ', ' if not loop.last }}{% endfor %}]::text[])
{%- endmacro %}

{#- Case counts in names that are not quoted, once enable_case_sensitive_super_attribute is on; AWS
    does not say it of quoted ones. So only names without capitals are quoted, some of which are
    reserved words, and those that could not be written otherwise ($numberLong). -#}
{% macro redshift__json_path(document, path) -%}
    {{ document }}
    {%- for name in path -%}
        {%- if modules.re.fullmatch('[A-Za-z_][A-Za-z0-9_]*', name) and name != name | lower -%}
            .{{ name }}
        {%- else -%}
            ."{{ name }}"
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
