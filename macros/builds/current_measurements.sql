{#- CTEs `versions` and `current_measurements`: the live version that counts of each measurement of
    int_measurements__normalized (all, or those whose key is in `affected`): of the lowest copy_rank
    (int_measurements__unioned says which), then the newest by the source's own time, then by
    content; never by the order of loading. -#}
{% macro current_measurements(affected) -%}
versions as (

    select
        *,
        row_number() over (
            -- The key alone would do, but for a collision: as two rows with one key it is found
            -- by the test of uniqueness, as a duplicate it would be lost.
            partition by measurement_key, identity_system, measurement_id
            order by copy_rank, updated_at desc nulls last, row_hash, _batch_id
        ) as version_rank
    from {{ ref('int_measurements__normalized') }}
    where
        _is_live
        {%- if is_incremental() %}
        and measurement_key in ({{ affected }})
        {%- endif %}

),

current_measurements as (

    select * from versions
    where version_rank = 1

)
{%- endmacro %}
