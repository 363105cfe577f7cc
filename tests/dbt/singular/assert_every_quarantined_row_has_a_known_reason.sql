{%- set codes = [
    'missing_measurement_id', 'missing_experiment_id', 'missing_measured_at', 'invalid_measured_at',
    'measured_at_out_of_range', 'missing_updated_at', 'invalid_updated_at', 'no_quantity',
] -%}
{%- for quantity in quantities() -%}
{%- do codes.extend(['invalid_' ~ quantity, 'unknown_' ~ quantity ~ '_unit', quantity ~ '_out_of_range']) -%}
{%- endfor -%}
-- As many known codes as there are codes, and one at least.
with counted as (

    select
        measurement_key,
        quarantine_reasons,
        length(quarantine_reasons) - length(replace(quarantine_reasons, ',', '')) + 1 as reasons,
        (
            {% for code in codes -%}
            case when ',' || quarantine_reasons || ',' like '%,{{ code }},%' then 1 else 0 end
            {{- ' +' if not loop.last }}
            {% endfor %}
        ) as known_reasons
    from {{ ref('quarantined_measurements') }}

)

select * from counted
where coalesce(quarantine_reasons, '') = '' or reasons <> known_reasons
