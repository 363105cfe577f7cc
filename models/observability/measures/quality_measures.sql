-- All that is measured, still without a judgement.
with measures as (

    {% for name in ['freshness', 'volume', 'distribution', 'schema', 'lineage'] -%}
    select
        table_name,
        day,
        kind,
        measure,
        value
    from {{ ref('quality_' ~ name) }}
    {%- if not loop.last %}
    union all
    {% endif -%}
    {%- endfor %}

)

select
    cast(table_name as varchar(255)) as table_name,
    day,
    cast(kind as varchar(16)) as kind,
    cast(measure as varchar(64)) as measure,
    cast(value as decimal(18, 4)) as value,
    day < max(day) over (partition by table_name, measure) as is_whole_day
from measures
