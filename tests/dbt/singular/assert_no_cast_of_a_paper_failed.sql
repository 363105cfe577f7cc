{{ config(severity='warn') }}
-- A value that the safe casts do not read is null: the paper stays, but it is counted.
{%- set casts = {
    'source_version': 'pmid_version', 'source_sample_size': 'sample_size', 'source_p_value': 'p_value',
    'source_published_at': 'published_at', 'source_created_at': 'created_at', 'source_updated_at': 'updated_at',
} %}
{%- for written, read in casts.items() %}
select
    '{{ written }}' as column_name,
    _batch_id,
    paper_id,
    {{ written }} as raw_value
from {{ ref('stg_literature__papers') }}
where {{ text_or_null(written) }} is not null and {{ read }} is null
{{- '\nunion all' if not loop.last }}
{%- endfor %}
