-- Small, and joined by everyone: a copy on each node of Redshift (dist all).
{{
    config(
        pre_hook="{{ delete_rows_unlike(ref('int_hpc_files__current'), key='file_key') }}",
        post_hook="{{ analyze_table(this) }}",
        dist='all',
        sort='file_key',
    )
}}

{{ rows_not_in_this(ref('int_hpc_files__current')) }}
