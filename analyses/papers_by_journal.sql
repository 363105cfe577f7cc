-- The ten journals with the most papers that are still in the database.
--     dbt show --select papers_by_journal --limit 10
-- `dbt show` adds a LIMIT of its own, so this one stands inside.
with first_ones as (

    select
        journal_title,
        count(*) as papers,
        min(published_year) as first_year,
        max(published_year) as last_year
    from {{ ref('dim_papers') }}
    where not is_deleted and journal_title is not null and paper_key <> -1
    group by journal_title
    order by papers desc, journal_title asc
    limit 10

)

select * from first_ones
order by papers desc, journal_title asc
