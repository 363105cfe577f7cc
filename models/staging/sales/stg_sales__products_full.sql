{{ dms_rows(
    source('sales', 'products_full'),
    columns=[
        'product_id', 'product_name', 'category', 'department', 'brand', 'list_price',
    ],
    key='product_id',
    is_full_load=true,
) }}
