{#- A query of the hours of day of sensors (sensor_key, hour_of_day) that the claimed batches touch. -#}
{% macro affected_hours() -%}
    {{ affected_groups(
        sensor_key('sensor_id') ~ ' as sensor_key, cast(extract(hour from measured_at) as integer) as hour_of_day'
    ) }}
    and sensor_id is not null
    and measured_at is not null
{%- endmacro %}

{#- A query of the sensors (sensor_key) that the claimed batches touch. -#}
{% macro affected_sensors() -%}
    {{ affected_groups(sensor_key('sensor_id') ~ ' as sensor_key') }}
    and sensor_id is not null
{%- endmacro %}
