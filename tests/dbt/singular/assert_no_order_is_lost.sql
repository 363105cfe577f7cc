-- Orders with a live change = facts + quarantined + removed.
{{ records_out_of_place(ref('int_orders__changes'), [ref('fact_orders'), ref('quarantined_orders')]) }}
