{#- Queries of what the claimed batches touch. All of them look at every version of a measurement
    that any batch has brought, live or not: so the group that a correction left is touched too. -#}

{#- Keys of measurements with a row in a claimed batch. -#}
{% macro affected_measurements() -%}
    select measurement_key
    from {{ ref('int_measurements__normalized') }}
    where {{ is_claimed('_batch_id') }}
{%- endmacro %}

{#- Distinct values of `columns` over all versions of those measurements. -#}
{% macro affected_groups(columns) -%}
    select distinct {{ columns }}
    from {{ ref('int_measurements__normalized') }}
    where measurement_key in ({{ affected_measurements() }})
{%- endmacro %}

{#- The minutes (time_key) in which they, or observations of the files touched, are or were. -#}
{% macro affected_minutes() -%}
    {{ affected_groups(epoch_minutes('measured_at') ~ ' as time_key') }}
    union
    select {{ epoch_minutes('observed_at') }}
    from {{ ref('int_observations__normalized') }}
    where file_key in ({{ affected_files() }})
{%- endmacro %}
