{%- set codes = [
    'invalid_paper_id', 'invalid_title', 'missing_title', 'duplicate_pmid', 'authors_not_a_list',
    'keywords_not_a_list', 'data_files_not_a_list',
] -%}
-- As many known codes as there are codes, and one at least.
with counted as (

    select
        paper_key,
        quarantine_reasons,
        length(quarantine_reasons) - length(replace(quarantine_reasons, ',', '')) + 1 as reasons,
        (
            {% for code in codes -%}
            case when ',' || quarantine_reasons || ',' like '%,{{ code }},%' then 1 else 0 end
            {{- ' +' if not loop.last }}
            {% endfor %}
        ) as known_reasons
    from {{ ref('quarantined_papers') }}

)

select * from counted
where coalesce(quarantine_reasons, '') = '' or reasons <> known_reasons
