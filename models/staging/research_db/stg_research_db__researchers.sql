with source as (

    {{ rds_rows(
        'researchers',
        columns=['researcher_id', 'researcher_name', 'email', 'department'],
    ) | indent(4) }}

),

renamed as (

    select
        ---------- ids
        {{ text_or_null('researcher_id') }} as researcher_id,

        ---------- text
        {{ text_or_null('researcher_name') }} as researcher_name,
        {{ text_or_null('email') }} as email,
        {{ text_or_null('department') }} as department,

        ---------- load
        _batch_id,
        _loaded_at
    from source

)

select * from renamed
