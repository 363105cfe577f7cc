{#- The source tables whose rows are measurements: int_measurements__unioned reads them. -#}
{% macro measurement_tables() -%}
    {{ return([
        'research_db.measurements', 'research_db.measurements_parquet', 'sensors.readings_export',
        'sensors.readings_changes', 'stream.readings',
    ]) }}
{%- endmacro %}
