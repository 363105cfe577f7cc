-- One row per file and experiment: what hpc_files shall hold. A file whose values were loaded before
-- its own row is there already, so that no fact loses its file.
with registered as (

    select
        files.*,
        {{ hash_key("coalesce(experiment_id, '') || '|' || coalesce(file_id, '')") }} as file_key
    from {{ ref('stg_hpc__files') }} as files
    where _batch_id not in ({{ superseded_batches() }})

),

-- The same file twice, as somebody copied the object: which of the two does not depend on the load.
ranked as (

    select
        *,
        row_number() over (
            partition by file_key
            order by {{ hash_key("coalesce(file_name, '') || '|' || coalesce(archive_key, '')") }}, _batch_id
        ) as copy_number
    from registered

),

observed as (

    select
        file_key,
        experiment_id,
        file_id,
        max(_batch_id) as _batch_id,
        max(_loaded_at) as _loaded_at
    from {{ ref('int_observations__variables') }}
    where _is_live
    group by file_key, experiment_id, file_id

)

select
    coalesce(ranked.file_key, observed.file_key) as file_key,
    coalesce(ranked.experiment_id, observed.experiment_id) as experiment_id,
    coalesce(ranked.file_id, observed.file_id) as file_id,
    ranked.file_name,
    ranked.file_format,
    ranked.file_bytes,
    ranked.archive_bucket,
    ranked.archive_key,
    coalesce(ranked.is_staged, true) as is_staged,
    ranked.value_count,
    ranked.missing_count,
    ranked.staged_count,
    ranked.attributes,
    coalesce(ranked._batch_id, observed._batch_id) as _batch_id,
    coalesce(ranked._loaded_at, observed._loaded_at) as _loaded_at
from ranked
full outer join observed on ranked.file_key = observed.file_key
where coalesce(ranked.copy_number, 1) = 1
