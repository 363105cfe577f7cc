{{ config(materialized="view") }}
select station, count(*) as readings, avg(reading_id) as whole from {{ ref("readings_table") }} group by 1
