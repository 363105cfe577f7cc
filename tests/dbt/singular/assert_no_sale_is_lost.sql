-- Sales with a live change = facts + quarantined + deleted.
{{ records_out_of_place(ref('int_sales__changes'), [ref('fact_sales'), ref('quarantined_sales')]) }}
