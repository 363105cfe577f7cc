-- Each value beside the range that the rule of its measure (seed quality_rules) gives: the median of
-- the days before it, in a window of the rule's length, and on both sides of it a multiple of their
-- interquartile range, or the rule's least width. Quartiles, since half a window of nonsense, or a
-- weekend in every seven days, does not move them far. No window: the range is around 0.
-- Judged again is what changed, and the days whose window that is in. No events are claimed, but it is
-- locked as if: a build that was taken over writes nothing.
{{
    config(
        pre_hook=[
            "{{ begin_claim() }}",
            "{{ delete_affected('table_name, day, measure', affected_quality()) }}",
        ],
        post_hook=["{{ analyze_table(this) }}", "{{ let_read('quality') }}"],
        indexes=[{'columns': ['table_name', 'measure', 'day']}],
        dist='even',
        sort='day',
    )
}}

with {% if is_incremental() %}affected as (

    {{ kept(affected_quality()) | indent(4) }}

),

{% endif %}measures as (

    select * from {{ ref('quality_measures') }}

),

rules as (

    select * from {{ ref('quality_rules') }}

),

due as (

    select measures.*
    from measures
    {% if is_incremental() -%}
    inner join affected
        on
            measures.table_name = affected.table_name
            and measures.day = affected.day
            and measures.measure = affected.measure
    {% endif %}

),

history as (

    select
        due.table_name,
        due.day,
        due.measure,
        earlier.value as earlier_value,
        row_number() over (partition by due.table_name, due.day, due.measure order by earlier.value) as place,
        count(*) over (partition by due.table_name, due.day, due.measure) as earlier_days
    from due
    inner join rules on due.measure = rules.measure
    inner join measures as earlier
        on
            due.table_name = earlier.table_name
            and due.measure = earlier.measure
            and due.day > earlier.day
            and due.day - rules.window_days <= earlier.day

),

usual as (

    select
        table_name,
        day,
        measure,
        max(earlier_days) as earlier_days,
        max(case when place = (earlier_days + 1) / 2 then earlier_value end) as middle,
        max(case when place = (3 * earlier_days + 3) / 4 then earlier_value end)
        - max(case when place = (earlier_days + 3) / 4 then earlier_value end) as spread
    from history
    group by table_name, day, measure

),

ruled as (

    select
        due.*,
        rules.side,
        coalesce(usual.middle, 0) as middle,
        greatest(
            rules.factor * coalesce(usual.spread, 0),
            rules.least_width,
            rules.least_share * abs(coalesce(usual.middle, 0))
        ) as width,
        rules.measure is not null
        and coalesce(usual.earlier_days, 0) >= rules.minimum_days
        and (due.is_whole_day or not rules.needs_whole_day) as is_judged
    from due
    left join rules on due.measure = rules.measure
    left join usual
        on
            due.table_name = usual.table_name
            and due.day = usual.day
            and due.measure = usual.measure

),

expected as (

    select
        ruled.*,
        cast(case when is_judged and side <> 'above' then middle - width end as decimal(18, 4)) as expected_low,
        cast(case when is_judged and side <> 'below' then middle + width end as decimal(18, 4)) as expected_high
    from ruled

),

judged as (

    select
        expected.*,
        case
            when not is_judged then 'not_judged'
            when value < expected_low then 'low'
            when value > expected_high then 'high'
            else 'ok'
        end as verdict,
        {{ utc_now() }} as _judged_at
    from expected

)

select {{ contract_columns() }}
from judged
