-- One row per variable that occurs in facts: what dim_variables shall hold. Where files describe one
-- variable differently, the long name that most of them have counts.
with observed as (

    select distinct
        variable_key,
        source_system,
        experiment_id,
        file_id,
        file_key,
        variable,
        standard_name,
        canonical_unit
    from {{ ref('int_observations__variables') }}
    where _is_live and has_facts

),

descriptions as (

    select * from {{ ref('stg_hpc__variables') }}
    where _batch_id not in ({{ superseded_batches() }})

),

named as (

    select
        observed.variable_key,
        descriptions.long_name,
        row_number() over (
            partition by observed.variable_key
            order by count(*) desc, {{ hash_key('descriptions.long_name') }}
        ) as name_rank
    from observed
    inner join descriptions
        on
            observed.experiment_id = descriptions.experiment_id
            and observed.file_id = descriptions.file_id
            and observed.variable = descriptions.variable
    where descriptions.long_name is not null
    group by observed.variable_key, descriptions.long_name

),

variables as (

    select
        variable_key,
        variable as variable_name,
        standard_name,
        canonical_unit,
        source_system,
        count(distinct file_key) as file_count
    from observed
    group by variable_key, variable, standard_name, canonical_unit, source_system

)

select
    variables.*,
    named.long_name
from variables
left join named on variables.variable_key = named.variable_key and named.name_rank = 1
