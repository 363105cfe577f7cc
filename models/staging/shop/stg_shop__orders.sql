with {{ dynamodb_stream_rows(
    source('shop', 'orders'),
    key='order_id',
    attributes={
        'user_id': ['user_id', 'S'],
        'status': ['status', 'S'],
        'ordered_at': ['ordered_at', 'S'],
        'total': ['total', 'N'],
    },
    lists=['items'],
) }}

select * from streamed
