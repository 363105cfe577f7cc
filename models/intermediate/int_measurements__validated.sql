-- One row per raw row: keys, values in canonical units, and why it is not fit to be a fact. All
-- the rules of a measurement are here; int_measurements__normalized stores the result.
{%- set source_columns = [
    'measurement_id', 'experiment_id', 'location_id', 'source_measured_at', 'source_updated_at',
    'source_temperature', 'source_temperature_unit', 'source_humidity', 'source_humidity_unit',
    'source_pressure', 'source_pressure_unit',
] %}
{#- Fields that a source may be required to give; a missing one is a reason, missing_<field>. -#}
{%- set requirable = [
    'measurement_id', 'sensor_id', 'experiment_id', 'measured_at', 'updated_at', 'temperature', 'pressure',
    'humidity',
] %}
with unioned as (

    select * from {{ ref('int_measurements__unioned') }}

),

units as (

    select * from {{ ref('units') }}

),

valid_ranges as (

    select * from {{ ref('valid_ranges') }}

),

date_range as (

    select * from {{ ref('date_range') }}

),

required_fields as (

    select
        {% for field in requirable -%}
        max(case when field = '{{ field }}' then 1 else 0 end) as {{ field }},
        {% endfor -%}
        source_system
    from {{ ref('required_fields') }}
    group by source_system

),

-- Whole-row text: tells versions of a measurement apart, and names a row that has no id.
described as (

    select
        unioned.*,
        {% for column in source_columns -%}
        coalesce({{ column }}, '')
        {%- if not loop.last %} || '|' || {% endif %}
        {%- endfor %}
        || coalesce(
            '|' || sensor_id || '|' || coalesce(cast(latitude as varchar(32)), '')
            || '|' || coalesce(cast(longitude as varchar(32)), '') || '|' || coalesce(withdrawn, ''),
            ''
        ) as row_text
    from unioned

),

-- (value + offset) * numerator / denominator, rounded half away from zero to four decimals.
converted as (

    select
        described.*,
        {% for quantity in quantities() -%}
        {{ quantity }}_units.unit is not null as {{ quantity }}_unit_is_known,
        round(
            cast(
                (described.{{ quantity }} + {{ quantity }}_units.offset_before) * {{ quantity }}_units.numerator
                as decimal(28, 8)
            ) / cast({{ quantity }}_units.denominator as decimal(9, 0)),
            4
        ) as canonical_{{ quantity }},
        {% endfor -%}
        described.measured_at >= date_range.first_date and described.measured_at < date_range.last_date + 1
            as measured_in_range
    from described
    cross join date_range
    {%- for quantity in quantities() %}
    left join units as {{ quantity }}_units
        on
            {{ quantity }}_units.quantity = '{{ quantity }}'
            and described.source_{{ quantity }}_unit = {{ quantity }}_units.unit
    {%- endfor %}

),

checked as (

    select
        converted.*,
        case
            when converted.withdrawn is not null then ',' || converted.withdrawn
            else
                {%- for field in ['measurement_id', 'sensor_id', 'experiment_id'] %}
                {{ '|| ' if not loop.first }}case
                    when converted.{{ field }} is null and required.{{ field }} = 1 then ',missing_{{ field }}'
                    else ''
                end
                {%- endfor %}
                || case
                    when source_measured_at is null then ',missing_measured_at'
                    when converted.measured_at is null then ',invalid_measured_at'
                    when not measured_in_range then ',measured_at_out_of_range'
                    else ''
                end
                || case
                    when source_updated_at is null and required.updated_at = 1 then ',missing_updated_at'
                    when source_updated_at is not null and converted.updated_at is null then ',invalid_updated_at'
                    else ''
                end
                {%- for quantity in quantities() %}
                || case
                    when source_{{ quantity }} is null and required.{{ quantity }} = 1 then ',missing_{{ quantity }}'
                    when source_{{ quantity }} is null then ''
                    when converted.{{ quantity }} is null then ',invalid_{{ quantity }}'
                    when not {{ quantity }}_unit_is_known then ',unknown_{{ quantity }}_unit'
                    when
                        canonical_{{ quantity }} not between {{ quantity }}_range.minimum
                        and {{ quantity }}_range.maximum
                        then ',{{ quantity }}_out_of_range'
                    else ''
                end
                {%- endfor %}
                || case
                    when
                        coalesce(source_temperature, source_pressure, source_humidity) is null
                        {%- for quantity in quantities() %}
                        and coalesce(required.{{ quantity }}, 0) = 0
                        {%- endfor %}
                        then ',no_quantity'
                    else ''
                end
        end as reasons,
        case
            {%- for quantity in quantities() %}
            when
                canonical_{{ quantity }} not between {{ quantity }}_range.usual_minimum
                and {{ quantity }}_range.usual_maximum
                then 'suspect'
            {%- endfor %}
            else 'pass'
        end as quality_flag
    from converted
    left join required_fields as required on converted.source_system = required.source_system
    {% for quantity in quantities() -%}
    inner join valid_ranges as {{ quantity }}_range
        on {{ quantity }}_range.quantity = '{{ quantity }}'
    {% endfor %}

),

final as (

    select
        ---------- keys
        {{ hash_key("identity_system || '|' || coalesce('id:' || measurement_id, 'row:' || row_text)") }}
            as measurement_key,
        {{ hash_key('row_text') }} as row_hash,
        source_system,
        measurement_id,
        experiment_id,
        location_id,

        ---------- timestamps, UTC
        case when measured_in_range then measured_at end as measured_at,
        cast(case when measured_in_range then measured_at end as date) as measured_date,
        updated_at,

        ---------- in canonical units: degC, hPa, %; null where it cannot be stored
        {% for quantity in quantities() -%}
        cast(
            case when abs(canonical_{{ quantity }}) < 1000000 then canonical_{{ quantity }} end as decimal(10, 4)
        ) as {{ quantity }},
        {% endfor %}
        ---------- as the source wrote it
        source_measured_at,
        source_updated_at,
        {% for quantity in quantities() -%}
        source_{{ quantity }},
        source_{{ quantity }}_unit,
        {% endfor %}
        ---------- machine-readable codes with commas between; null: fit to be a fact
        nullif(substring(reasons, 2), '') as quarantine_reasons,
        cast(quality_flag as varchar(16)) as quality_flag,

        ---------- of sensors' readings: where, and which of several copies counts
        identity_system,
        sensor_id,
        latitude,
        longitude,
        copy_rank,

        ---------- the contract's key as the source wrote it, | between its parts: for `warehouse trace`
        source_key,

        ---------- load
        _batch_id,
        _loaded_at
    from checked

)

select * from final
