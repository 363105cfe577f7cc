-- Replaced by each build, so grants made by hand are lost: give users the role instead.
with experiments as (

    select * from {{ ref('dim_experiments') }}

)

select {{ contract_columns() }}
from experiments
where {{ is_own_experiment('experiment_id') }}
