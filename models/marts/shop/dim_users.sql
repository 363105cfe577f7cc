-- Joined by everyone who asks for orders: a copy on each node of Redshift (dist all).
{{
    config(
        pre_hook="{{ delete_rows_unlike(ref('int_users__versions'), key='user_key') }}",
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['user_id', 'valid_from']}],
        dist='all',
        sort=['user_id', 'valid_from'],
    )
}}

{{ rows_not_in_this(ref('int_users__versions')) }}
