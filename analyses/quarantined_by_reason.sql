-- What was not fit to be a fact, and why, the most frequent reasons first.
--     dbt show --select quarantined_by_reason --limit 50
select
    source_system,
    quarantine_reasons,
    count(*) as measurements
from {{ ref('quarantined_measurements') }}
group by source_system, quarantine_reasons
order by measurements desc, source_system asc, quarantine_reasons asc
