-- Contracts do not cover materialized views, so the catalog is asked: names, order and types.
with expected as (

    {% for column, data_type in [
        ('experiment_id', 'character varying(36)'),
        ('experiment_name', 'character varying(200)'),
        ('month', 'date'),
        ('avg_temperature', 'numeric(12,6)'),
        ('min_temperature', 'numeric(10,4)'),
        ('max_temperature', 'numeric(10,4)'),
        ('temp_stddev', 'numeric(12,6)'),
        ('measurement_count', 'bigint'),
    ] -%}
    select
        {{ loop.index }} as position,
        cast('{{ column }}' as varchar(127)) as column_name,
        cast('{{ data_type }}' as varchar(127)) as data_type
    {{- ' union all' if not loop.last }}
    {% endfor %}
),

actual as (

    {{ catalog_columns(ref('monthly_temperature_summary')) | indent(4) }}

),

missing as (

    select * from expected
    except
    select * from actual

),

unexpected as (

    select * from actual
    except
    select * from expected

)

select
    'missing' as difference,
    missing.*
from missing
union all
select
    'unexpected' as difference,
    unexpected.*
from unexpected
