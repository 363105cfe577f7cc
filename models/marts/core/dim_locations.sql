-- Small, and joined by everyone: a copy on each node of Redshift (dist all).
{{
    config(
        pre_hook="{{ delete_rows_unlike(ref('int_locations__versions'), key='location_key') }}",
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['location_id', 'valid_from']}],
        dist='all',
        sort=['location_id', 'valid_from'],
    )
}}

{{ rows_not_in_this(ref('int_locations__versions')) }}
