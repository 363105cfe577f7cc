{{ dms_rows(
    table='sales',
    key='sale_id',
    columns=[
        'sale_id', 'order_id', 'customer_id', 'product_id', 'store_id', 'region', 'sales_rep',
        'sold_at', 'quantity', 'amount', 'discount',
    ],
    times=['sold_at'],
) }}
