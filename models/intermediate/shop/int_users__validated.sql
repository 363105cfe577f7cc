-- One row per change of a user: typed, and why it is not fit to take part in its history.
{%- set attributes = ['user_id', 'user_name', 'age_group', 'city', 'state', 'wants_mail'] %}
with staged as (

    select * from {{ ref('stg_shop__users') }}

),

{{ change_rows('staged', 'user_id', attributes) }},

checked as (

    select
        changes.*,
        order_reasons || case
            when change_operation = 'D' then ''
            else {{ too_long_reason(['user_id', 'user_name', 'age_group', 'city', 'state']) }}
        end as reasons
    from changes

),

final as (

    select
        {{ change_columns() }}

        ---------- attributes
        changed_key as user_id,
        user_name,
        age_group,
        city,
        state,
        case wants_mail when 'true' then true when 'false' then false end as wants_mail,

        ---------- machine-readable codes with commas between; null: takes part in the history
        nullif(substring(reasons, 2), '') as quarantine_reasons,

        {{ load_columns() }}
    from checked

)

select * from final
