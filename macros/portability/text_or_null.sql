{#- A delimited field as text: blanks around it do not count; empty and `null_text` are null. -#}
{% macro text_or_null(field, null_text=none) -%}
    nullif({% if null_text %}nullif({% endif %}trim({{ field }}){% if null_text %}, '{{ null_text }}'){% endif %}, '')
{%- endmacro %}
