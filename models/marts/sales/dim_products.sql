-- Joined by everyone who asks for sales: a copy on each node of Redshift (dist all).
{{
    config(
        pre_hook="{{ delete_rows_unlike(ref('int_products__versions'), key='product_key') }}",
        post_hook="{{ analyze_table(this) }}",
        indexes=[{'columns': ['product_id', 'valid_from']}],
        dist='all',
        sort=['product_id', 'valid_from'],
    )
}}

{{ rows_not_in_this(ref('int_products__versions')) }}
