{{ config(materialized="table", dist="reading_id", sort=["taken_on", "station"]) }}
select
    reading_id::bigint as reading_id,
    station::varchar(8) as station,
    taken_at::date as taken_on,
    value::decimal(6, 2) as value,
    object('station', station, 'parts', array(1, 2)) as document
from {{ source("raw", "readings") }}
