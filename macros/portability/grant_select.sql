{#- The statement that lets roles read a relation; whoever else could read it still can. -#}
{% macro grant_select(relation, roles) -%}
    {{ return(adapter.dispatch('grant_select')(relation, roles)) }}
{%- endmacro %}

{% macro postgres__grant_select(relation, roles) -%}
    grant select on {{ relation }} to
    {%- for role in roles %} {{ adapter.quote(role) }}{{ ',' if not loop.last }}{% endfor %}
{%- endmacro %}

{% macro redshift__grant_select(relation, roles) -%}
    grant select on {{ relation }} to
    {%- for role in roles %} role {{ adapter.quote(role) }}{{ ',' if not loop.last }}{% endfor %}
{%- endmacro %}
