-- One row per paper that is not fit for dim_papers: what quarantined_papers shall hold.
with papers as (

    select * from {{ ref('int_papers__current') }}

)

select * from papers
where quarantine_reasons is not null
