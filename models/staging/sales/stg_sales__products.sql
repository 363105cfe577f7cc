{{ dms_rows(
    table='products',
    key='product_id',
    columns=['product_id', 'product_name', 'category', 'department', 'brand', 'list_price'],
) }}
