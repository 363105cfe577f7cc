with {{ dynamodb_stream_rows(
    source('shop', 'users'),
    key='user_id',
    attributes={
        'user_name': ['user_name', 'S'],
        'age_group': ['age_group', 'S'],
        'city': ['address', 'M', 'city', 'S'],
        'state': ['address', 'M', 'state', 'S'],
        'wants_mail': ['wants_mail', 'BOOL'],
    },
) }}

select * from streamed
