{#- Select lists that the staging models of sensor readings share: the same reading comes in
    DynamoDB's exports and through the stream, in the same units. -#}

{#- The attributes of a reading, all of them but its place. -#}
{% macro reading_attributes() -%}
    {{ return(['sensor_id', 'timestamp', 'experiment_id', 'temperature', 'humidity', 'pressure']) }}
{%- endmacro %}

{#- Of decoded texts of any length, named item_<attribute>: bounded texts as the warehouse stores. -#}
{% macro reading_texts() -%}
        {{ text_within('item_sensor_id', 36) }} as sensor_id,
        {{ text_within('item_experiment_id', 36) }} as experiment_id,
        {{ text_within('item_timestamp', 40) }} as source_measured_at,
        {{ text_within('item_temperature', 64) }} as source_temperature,
        {{ text_within('item_humidity', 64) }} as source_humidity,
        {{ text_within('item_pressure', 64) }} as source_pressure,
        {{ text_within('item_latitude', 64) }} as source_latitude,
        {{ text_within('item_longitude', 64) }} as source_longitude
{%- endmacro %}

{#- Of these: the columns of a staged reading. -#}
{% macro reading_values() -%}
        ---------- ids
        sensor_id,
        experiment_id,

        ---------- as the source wrote it
        source_measured_at,
        source_temperature,
        source_humidity,
        source_pressure,

        ---------- numerics: degC, %, hPa, degrees
        {{ safe_decimal('source_temperature') }} as temperature,
        {{ safe_decimal('source_humidity') }} as humidity,
        {{ safe_decimal('source_pressure') }} as pressure,
        {{ safe_decimal('source_latitude') }} as latitude,
        {{ safe_decimal('source_longitude') }} as longitude,

        ---------- timestamps
        {{ safe_timestamp('source_measured_at') }} as measured_at
{%- endmacro %}
