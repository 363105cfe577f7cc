-- How many values of each sensor and quantity are far from what it says at that hour of the day.
--     dbt show --select anomalies_by_sensor --limit 50
select
    sensor_id,
    quantity,
    count(*) as anomalies,
    max(abs(robust_z)) as farthest
from {{ ref('measurement_anomalies') }}
group by sensor_id, quantity
order by anomalies desc, sensor_id asc, quantity asc
