{{ dms_rows(
    table='customers',
    key='customer_id',
    columns=['customer_id', 'customer_name', 'age_group', 'income_group', 'city', 'state'],
) }}
