{#- The select list of a model with a contract: each column cast to the type that its yml states,
    in that order. The yml is the one place where a mart's types stand. In a unit test, where `model`
    is the test and has no columns, all of them, uncast. -#}
{% macro contract_columns() -%}
    {%- for column in model.columns.values() %}
    cast({{ column.name }} as {{ column.data_type }}) as {{ column.name }}{{ ',' if not loop.last }}
    {%- else %} *
    {%- endfor %}
{%- endmacro %}
