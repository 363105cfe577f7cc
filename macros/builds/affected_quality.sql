{#- A query of the rows (table_name, day, measure) of data_quality_daily that may be other ones now:
    those whose value is new, another one or gone, and those in whose window such a day lies. -#}
{% macro affected_quality() -%}
    {%- set compared = 'table_name, day, kind, measure, value, is_whole_day' -%}
    with measures as (

        select * from {{ ref('quality_measures') }}

    ),

    changed as (

        (select {{ compared }} from measures except select {{ compared }} from {{ this }})
        union
        (select {{ compared }} from {{ this }} except select {{ compared }} from measures)

    )

    select table_name, day, measure
    from changed
    union
    select measures.table_name, measures.day, measures.measure
    from changed
    inner join {{ ref('quality_rules') }} as rules on changed.measure = rules.measure
    inner join measures
        on
            changed.table_name = measures.table_name
            and changed.measure = measures.measure
            and changed.day < measures.day
            and changed.day >= measures.day - rules.window_days
{%- endmacro %}

{#- The models and snapshots that apply events, by name. -#}
{% macro applying_models() -%}
    {%- set names = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type in ['model', 'snapshot'] -%}
            {%- do names.append(node.name) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(names | sort) }}
{%- endmacro %}
