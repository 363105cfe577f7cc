{{ dms_rows(
    source('sales', 'customers_full'),
    columns=[
        'customer_id', 'customer_name', 'age_group', 'income_group', 'city', 'state',
    ],
    key='customer_id',
    is_full_load=true,
) }}
