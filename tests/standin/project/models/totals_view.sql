{{ config(materialized="materialized_view", dist="station", sort=["station"], auto_refresh=false) }}
select station, taken_on, sum(total) as total, count(*) as days
from {{ ref("daily_by_delete_insert") }}
group by 1, 2
