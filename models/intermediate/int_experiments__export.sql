-- One row per experiment known so far, as of the export that snap_experiments applied last.
{{ export_with_tombstones(
    staging=ref('stg_research_db__experiments'),
    key='experiment_id',
    snapshot='snap_experiments',
    columns=[
        'experiment_name', 'description', 'researcher_id', 'department', 'start_date', 'end_date', 'status',
        'metadata',
    ],
) }}
