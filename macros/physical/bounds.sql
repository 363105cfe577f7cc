{#- The stated bounds of validity intervals; see dbt_project.yml. -#}
{% macro min_timestamp() -%} cast('{{ var("min_timestamp") }}' as timestamp) {%- endmacro %}

{% macro max_timestamp() -%} cast('{{ var("max_timestamp") }}' as timestamp) {%- endmacro %}
