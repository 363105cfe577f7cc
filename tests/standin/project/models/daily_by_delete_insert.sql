{{ config(materialized="incremental", incremental_strategy="delete+insert", unique_key=["station", "taken_on"],
          on_schema_change="append_new_columns", dist="even", sort="taken_on",
          pre_hook="lock {{ source('raw', 'readings') }}") }}
select station, taken_on, count(*) as readings, sum(value) as total
from {{ ref("readings_table") }}
{% if is_incremental() %}
where taken_on >= (select dateadd(day, -1, max(taken_on)) from {{ this }})
{% endif %}
group by 1, 2
