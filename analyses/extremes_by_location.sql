-- The lowest and the highest temperature of each place, with the name it has now.
--     dbt show --select extremes_by_location --limit 50
select
    locations.location_id,
    locations.current_location_name as location_name,
    min(facts.temperature) as min_temperature,
    max(facts.temperature) as max_temperature,
    count(facts.temperature) as temperatures
from {{ ref('fact_measurements') }} as facts
inner join {{ ref('dim_locations') }} as locations on facts.location_key = locations.location_key
where facts.temperature is not null
group by locations.location_id, locations.current_location_name
order by locations.location_id
