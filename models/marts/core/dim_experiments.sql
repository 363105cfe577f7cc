-- Small, and joined by everyone: a copy on each node of Redshift (dist all).
{{
    config(
        pre_hook="{{ delete_rows_unlike(ref('int_experiments__versions'), key='experiment_key') }}",
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['experiment_id', 'valid_from']}],
        dist='all',
        sort=['experiment_id', 'valid_from'],
    )
}}

{{ rows_not_in_this(ref('int_experiments__versions')) }}
