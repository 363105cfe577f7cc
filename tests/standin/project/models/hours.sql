{{ config(materialized="view") }}
select reading_id, datediff(hour, taken_on, '2013-01-02') as hours from {{ ref("readings_table") }}
