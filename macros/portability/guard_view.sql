{#- Post-hook of a view that hides rows: no condition of the reader's is evaluated before the view's
    own, so a function that tells what it is given sees no hidden row. -#}
{% macro guard_view(relation) -%}
    {{ return(adapter.dispatch('guard_view')(relation)) }}
{%- endmacro %}

{% macro postgres__guard_view(relation) -%}
    alter view {{ relation }} set (security_barrier = true)
{%- endmacro %}

{#- Redshift has no such option: see docs/security.md. -#}
{% macro redshift__guard_view(relation) -%}
{%- endmacro %}
