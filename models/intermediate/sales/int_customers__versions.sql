-- One row per version of a customer, from its changes, and the unknown member: what dim_customers shall hold.
{%- set attributes = ['customer_name', 'age_group', 'income_group', 'city', 'state'] %}
with {{ change_history(ref('int_customers__changes'), 'customer_id', attributes) }},

versions as (

    {{ dimension_versions(
        snapshot='history',
        entity='customer',
        as_of=attributes,
        current=['customer_name', 'city', 'state'],
    ) | indent(4) }}

)

select * from versions
