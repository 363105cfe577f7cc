{{ config(materialized="incremental", incremental_strategy="merge", unique_key="station") }}
select station, reading_id, value
from {{ ref("readings_table") }}
qualify row_number() over (partition by station order by reading_id desc) = 1
