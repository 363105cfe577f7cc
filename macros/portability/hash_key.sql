{#- A surrogate key: the first 60 bits of the md5 of a text, as a bigint that is never negative,
    the same on both engines. -#}
{% macro hash_key(text) -%}
    {{ return(adapter.dispatch('hash_key')(text)) }}
{%- endmacro %}

{% macro postgres__hash_key(text) -%}
    cast(cast('x' || substring(md5({{ text }}), 1, 15) as bit(60)) as bigint)
{%- endmacro %}

{% macro redshift__hash_key(text) -%}
    strtol(substring(md5({{ text }}), 1, 15), 16)
{%- endmacro %}
