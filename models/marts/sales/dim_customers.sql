-- Joined by everyone who asks for sales: a copy on each node of Redshift (dist all).
{{
    config(
        pre_hook="{{ delete_rows_unlike(ref('int_customers__versions'), key='customer_key') }}",
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['customer_id', 'valid_from']}],
        dist='all',
        sort=['customer_id', 'valid_from'],
    )
}}

{{ rows_not_in_this(ref('int_customers__versions')) }}
