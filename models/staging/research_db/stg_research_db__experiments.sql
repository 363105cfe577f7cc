with source as (

    {{ rds_rows(
        'experiments',
        columns=[
            'experiment_id', 'experiment_name', 'description', 'researcher_id', 'department', 'start_date',
            'end_date', 'status', 'metadata', 'created_at', 'updated_at',
        ],
        times=['created_at', 'updated_at'],
    ) | indent(4) }}

),

renamed as (

    select
        ---------- ids
        {{ text_or_null('experiment_id') }} as experiment_id,
        {{ text_or_null('researcher_id') }} as researcher_id,

        ---------- text
        {{ text_or_null('experiment_name') }} as experiment_name,
        {{ text_or_null('description') }} as description,
        {{ text_or_null('department') }} as department,
        {{ text_or_null('status') }} as status,
        {{ text_or_null('metadata') }} as metadata,

        ---------- dates and times
        {{ safe_date(text_or_null('start_date')) }} as start_date,
        {{ safe_date(text_or_null('end_date')) }} as end_date,
        {{ safe_timestamp(text_or_null('created_at')) }} as created_at,
        {{ safe_timestamp(text_or_null('updated_at')) }} as updated_at,

        ---------- load
        _batch_id,
        _loaded_at
    from source

)

select * from renamed
