-- Every key with a fit change is in its dimension, every unfit change is quarantined.
{{ changes_out_of_place(ref('int_products__changes'), 'product') }}
union all
{{ changes_out_of_place(ref('int_customers__changes'), 'customer') }}
