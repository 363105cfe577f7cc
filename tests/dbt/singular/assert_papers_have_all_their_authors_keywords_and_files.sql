-- Each element of the lists of the papers in dim_papers is a row; of keywords those that are repeated
-- or empty are not.
with papers as (

    select * from {{ ref('int_papers__current') }}
    where quarantine_reasons is null

),

elements as (

    {% for list, filter in [('authors', ''), ('data_files', ''), ('keywords', 'where listed.keyword is not null')] -%}
    select
        '{{ list }}' as list_name,
        papers.paper_key,
        {% if list == 'keywords' -%}
        count(distinct left(lower(listed.keyword), 256)) as row_count
        {%- else -%}
        count(*) as row_count
        {%- endif %}
    from {{ ref('stg_literature__paper_' ~ list) }} as listed
    inner join papers on listed._batch_id = papers._batch_id and listed.paper_id = papers.paper_id
    {{ filter }}
    group by papers.paper_key
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

marts as (

    {% for list, mart in [
        ('authors', 'bridge_paper_authors'), ('data_files', 'paper_data_files'), ('keywords', 'bridge_paper_keywords'),
    ] -%}
    select
        '{{ list }}' as list_name,
        paper_key,
        count(*) as row_count
    from {{ ref(mart) }}
    group by paper_key
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    coalesce(elements.list_name, marts.list_name) as list_name,
    coalesce(elements.paper_key, marts.paper_key) as paper_key,
    elements.row_count as elements,
    marts.row_count as mart_rows
from elements
full outer join marts on elements.list_name = marts.list_name and elements.paper_key = marts.paper_key
where coalesce(elements.row_count, 0) <> coalesce(marts.row_count, 0)
