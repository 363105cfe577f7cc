{%- set codes = [
    'expired', 'deleted_at_source', 'missing_measurement_id', 'missing_sensor_id', 'missing_experiment_id',
    'missing_measured_at', 'invalid_measured_at', 'measured_at_out_of_range', 'missing_updated_at',
    'invalid_updated_at', 'no_quantity',
] -%}
{%- set codes_of_a_quantity = ['missing_{}', 'invalid_{}', 'unknown_{}_unit', '{}_out_of_range'] -%}
{%- for quantity in quantities() -%}
{%- for code in codes_of_a_quantity -%}
{%- do codes.append(code.format(quantity)) -%}
{%- endfor -%}
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
