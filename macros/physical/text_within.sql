{#- A text of a JSON document, where nothing bounds its length, for a column of so many bytes: null
    if it is longer, for a cut value would be another one, or if nothing but blanks is in it. -#}
{% macro text_within(text, bytes) -%}
    cast(case when octet_length({{ text }}) <= {{ bytes }} then nullif(trim({{ text }}), '') end as varchar({{ bytes }}))
{%- endmacro %}
