-- One row per data file of a paper in dim_papers, with the experiment's current version and what the
-- warehouse knows of an object at its place: what paper_data_files shall hold.
with papers as (

    select * from {{ ref('int_papers__current') }}
    where quarantine_reasons is null

),

data_files as (

    select * from {{ ref('stg_literature__paper_data_files') }}

),

experiments as (

    select * from {{ ref('int_experiments__versions') }}
    where is_current

),

-- Objects that were loaded: the ETag is the md5 of one that was not uploaded in parts.
loaded as (

    select
        's3://' || bucket || '/' || object_key as file_location,
        case when etag ~ '^[0-9a-f]{32}$' then 'md5' end as checksum_algorithm,
        etag as checksum,
        source_table,
        cast(null as varchar(64)) as hpc_file_id
    from {{ source('ledger', 'files') }}
    where status = 'loaded'

),

-- Originals of HPC files.
archived as (

    select
        's3://' || archive_bucket || '/' || archive_key as file_location,
        'sha256' as checksum_algorithm,
        file_id as checksum,
        'hpc.files' as source_table,
        file_id as hpc_file_id
    from {{ ref('stg_hpc__files') }}

),

staged as (

    select * from loaded
    union all
    select * from archived

),

described as (

    select
        papers.paper_key,
        papers.paper_id,
        data_files.file_position,
        {{ hash_key("papers.paper_id || '|' || cast(data_files.file_position as varchar(20))") }} as data_file_key,
        left(data_files.file_name, 512) as file_name,
        left(data_files.file_location, 1100) as file_location,
        data_files.file_bytes,
        left(data_files.checksum_algorithm, 16) as checksum_algorithm,
        left(data_files.checksum, 128) as checksum,
        left(data_files.experiment_id, 64) as experiment_id
    from data_files
    inner join papers
        on
            data_files._batch_id = papers._batch_id
            and data_files.paper_id = papers.paper_id

),

compared as (

    select
        described.data_file_key,
        coalesce(staged.checksum_algorithm = described.checksum_algorithm, false) as is_comparable,
        coalesce(
            staged.checksum_algorithm = described.checksum_algorithm and staged.checksum = described.checksum,
            false
        ) as is_equal,
        staged.source_table,
        staged.hpc_file_id
    from described
    inner join staged on described.file_location = staged.file_location

),

-- An object may have been staged for several tables, or with several contents.
matched as (

    select
        data_file_key,
        max(case when is_comparable then 1 else 0 end) as is_comparable,
        max(case when is_equal then 1 else 0 end) as is_equal,
        min(case when is_equal then source_table end) as staged_source_table,
        min(case when is_equal then hpc_file_id end) as hpc_file_id
    from compared
    group by data_file_key

)

select
    described.*,
    coalesce(experiments.experiment_key, -1) as experiment_key,
    case
        when matched.is_equal = 1 then 'verified'
        when matched.is_comparable = 1 then 'checksum_differs'
        when matched.data_file_key is not null then 'checksum_unknown'
        else 'not_staged'
    end as staged_state,
    matched.staged_source_table,
    matched.hpc_file_id
from described
left join experiments on described.experiment_id = experiments.experiment_id
left join matched on described.data_file_key = matched.data_file_key
