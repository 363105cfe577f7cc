{{ dms_rows(
    source('sales', 'products_changes'),
    columns=[
        'product_id', 'product_name', 'category', 'department', 'brand', 'list_price',
    ],
    key='product_id',
) }}
