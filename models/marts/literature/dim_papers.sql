-- On Redshift papers and their authors, keywords and data files meet on one slice.
{{
    config(
        pre_hook="{{ delete_rows_unlike(ref('int_papers__searchable'), key='paper_key') }}",
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['paper_key']}, {'columns': ['paper_id']}],
        dist='paper_key',
        sort='paper_key',
    )
}}

{{ rows_not_in_this(ref('int_papers__searchable')) }}
