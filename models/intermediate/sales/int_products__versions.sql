-- One row per version of a product, from its changes, and the unknown member: what dim_products shall hold.
{%- set attributes = ['product_name', 'category', 'department', 'brand', 'list_price'] %}
with {{ change_history(ref('int_products__changes'), 'product_id', attributes) }},

versions as (

    {{ dimension_versions(
        snapshot='history',
        entity='product',
        as_of=attributes,
        current=['product_name', 'category'],
    ) | indent(4) }}

)

select * from versions
