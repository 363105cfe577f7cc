{#- Surrogate key of a sensor; -1 where a measurement has none. -#}
{% macro sensor_key(sensor_id) -%}
    coalesce({{ hash_key(sensor_id) }}, -1)
{%- endmacro %}
