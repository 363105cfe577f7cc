{#- Warns of the breaches of one kind in data_quality_daily, that became known in the last days only. -#}
{% test within_expected_range(model, kind) %}
    {{ config(severity='warn') }}
    {%- set kinds = ['freshness', 'volume', 'distribution', 'schema', 'lineage'] -%}
    {%- if kind not in kinds -%}
        {{ exceptions.raise_compiler_error('within_expected_range: `kind` must be one of ' ~ kinds | join(', ')) }}
    {%- endif %}
select *
from {{ model }}
where
    kind = '{{ kind }}'
    and verdict in ('low', 'high')
    and coalesce(_judged_at, day) >= cast({{ utc_now() }} as date) - {{ var('quality_warn_days') }}
{% endtest %}
