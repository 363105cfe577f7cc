{#- The stated bounds of validity intervals; see dbt_project.yml. -#}
{% macro min_timestamp() -%} cast('{{ var("min_timestamp") }}' as timestamp) {%- endmacro %}

{% macro max_timestamp() -%} cast('{{ var("max_timestamp") }}' as timestamp) {%- endmacro %}

{#- Key of the unknown minute: the smallest integer. -#}
{% macro unknown_time_key() -%} cast(-2147483648 as integer) {%- endmacro %}
