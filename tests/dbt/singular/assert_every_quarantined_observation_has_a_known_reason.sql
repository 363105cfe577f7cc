{%- set codes = [
    'missing_experiment_id', 'missing_position', 'missing_value', 'invalid_value', 'outside_range_of_file',
    'unknown_unit', 'value_out_of_range', 'observed_at_out_of_range',
] -%}
-- As many known codes as there are codes, and one at least.
with counted as (

    select
        observation_key,
        quarantine_reasons,
        length(quarantine_reasons) - length(replace(quarantine_reasons, ',', '')) + 1 as reasons,
        (
            {% for code in codes -%}
            case when ',' || quarantine_reasons || ',' like '%,{{ code }},%' then 1 else 0 end
            {{- ' +' if not loop.last }}
            {% endfor %}
        ) as known_reasons
    from {{ ref('quarantined_observations') }}

)

select * from counted
where coalesce(quarantine_reasons, '') = '' or reasons <> known_reasons
