-- One row per paper whose newest document is not fit for dim_papers, with the reasons.
-- On Redshift spread evenly: never joined, looked up by key.
{{
    config(
        pre_hook="{{ delete_rows_unlike(ref('int_papers__unfit'), key='paper_key') }}",
        indexes=[{'columns': ['paper_key']}],
        dist='even',
        sort='paper_key',
    )
}}

{{ rows_not_in_this(ref('int_papers__unfit')) }}
