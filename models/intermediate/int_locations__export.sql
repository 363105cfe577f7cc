-- One row per location known so far, as of the export that snap_locations applied last.
{{ export_with_tombstones(
    staging=ref('stg_research_db__locations'),
    key='location_id',
    snapshot='snap_locations',
    columns=['location_name', 'latitude', 'longitude', 'elevation_m', 'country', 'timezone'],
) }}
