{{ config(materialized="view", bind=false) }}
select t.reading_id, t.document.station::varchar as station, part::integer as part, at_index
from {{ ref("readings_table") }} as t, t.document.parts as part at at_index
