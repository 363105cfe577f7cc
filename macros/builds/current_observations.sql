{#- CTEs `copies` and `current_observations`: the live rows of int_observations__normalized (all, or
    those whose file is in `affected`), each observation once. Several objects with the same file
    are copies that somebody made: if they differ, their content decides, never the order of loading. -#}
{% macro current_observations(affected) -%}
copies as (

    select
        *,
        row_number() over (
            partition by observation_key, experiment_id, file_id, variable, position
            order by
                source_value,
                source_observed_at,
                {{ hash_key("coalesce(standard_name, '') || '|' || coalesce(source_unit, '') || '|' || "
                    ~ "coalesce(quality_flag, '') || '|' || coalesce(station, '') || '|' || coalesce(coordinates, '')") }},
                latitude,
                longitude,
                height_m,
                case is_in_valid_range when true then 1 when false then 0 end,
                _batch_id
        ) as copy_number
    from {{ ref('int_observations__normalized') }}
    where
        _is_live
        {%- if is_incremental() %}
        and file_key in ({{ affected }})
        {%- endif %}

),

current_observations as (

    select * from copies
    where copy_number = 1

)
{%- endmacro %}

{#- A query of the files (file_key) with a row in a claimed batch, live or not. -#}
{% macro affected_files() -%}
    select file_key
    from {{ ref('int_observations__normalized') }}
    where {{ is_claimed('_batch_id') }}
{%- endmacro %}
