-- One row per version of an experiment, and the unknown member: what dim_experiments shall hold.
-- researcher_name is as it is now, not as of the version.
with versions as (

    {{ dimension_versions(
        snapshot=ref('snap_experiments'),
        entity='experiment',
        as_of=[
            'experiment_name', 'description', 'researcher_id', 'department', 'start_date', 'end_date', 'status',
            'metadata',
        ],
        current=['experiment_name', 'status'],
    ) | indent(4) }}

)

select
    versions.*,
    researchers.researcher_name
from versions
left join {{ ref('int_researchers__current') }} as researchers
    on versions.researcher_id = researchers.researcher_id
