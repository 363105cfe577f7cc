{{ dms_rows(
    source('sales', 'sales_changes'),
    columns=[
        'sale_id', 'order_id', 'customer_id', 'product_id', 'store_id', 'region', 'sales_rep',
        'sold_at', 'quantity', 'amount', 'discount',
    ],
    key='sale_id',
) }}
