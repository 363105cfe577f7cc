-- One row per version of a location, and the unknown member: what dim_locations shall hold.
{{ dimension_versions(
    snapshot=ref('snap_locations'),
    entity='location',
    as_of=['location_name', 'latitude', 'longitude', 'elevation_m', 'country', 'timezone'],
    current=['location_name'],
) }}
