{#- The quantities that stand wide in fact_measurements. -#}
{% macro quantities() -%} {{ return(['temperature', 'pressure', 'humidity']) }} {%- endmacro %}
