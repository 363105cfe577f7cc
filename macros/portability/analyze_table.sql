{#- Fresh statistics after a large change: PostgreSQL plans the next model with them. Redshift
    analyzes by itself (auto analyze). -#}
{% macro analyze_table(relation) -%}
    {{ return(adapter.dispatch('analyze_table')(relation)) }}
{%- endmacro %}

{% macro postgres__analyze_table(relation) -%}
    analyze {{ relation }}
{%- endmacro %}

{% macro redshift__analyze_table(relation) -%}
{%- endmacro %}
