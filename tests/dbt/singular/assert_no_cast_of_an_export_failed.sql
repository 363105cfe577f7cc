{{ config(severity='warn') }}
-- A value that the safe casts do not read is null in staging: nothing stops, but it is counted.
-- (Those of measurements go to quarantine with a reason.)
{%- set casts = {
    'experiments': {'start_date': safe_date, 'end_date': safe_date, 'created_at': safe_timestamp, 'updated_at': safe_timestamp},
    'locations': {'latitude': safe_decimal, 'longitude': safe_decimal, 'elevation_m': safe_decimal},
} %}
{%- for table, columns in casts.items() %}
{%- set outer_loop = loop %}
{%- for column, safe_cast in columns.items() %}
select
    '{{ table }}.{{ column }}' as column_name,
    _batch_id,
    {{ column }} as raw_value
from {{ source('research_db', table) }}
where {{ text_or_null(column) }} is not null and {{ safe_cast(text_or_null(column)) }} is null
{{- '\nunion all' if not (outer_loop.last and loop.last) }}
{%- endfor %}
{%- endfor %}
