-- On Redshift on the slice of the paper, with dim_papers.
{{
    config(
        pre_hook="{{ delete_rows_unlike(ref('int_paper_keywords__current'), key='paper_keyword_key') }}",
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['paper_key']}],
        dist='paper_key',
        sort='paper_key',
    )
}}

{{ rows_not_in_this(ref('int_paper_keywords__current')) }}
