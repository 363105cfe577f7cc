-- One row per version of a user, from its changes, and the unknown member: what dim_users shall hold.
{%- set attributes = ['user_name', 'age_group', 'city', 'state', 'wants_mail'] %}
with {{ change_history(ref('int_users__changes'), 'user_id', attributes) }},

versions as (

    {{ dimension_versions(
        snapshot='history',
        entity='user',
        as_of=attributes,
        current=['user_name', 'city', 'state'],
    ) | indent(4) }}

)

select * from versions
