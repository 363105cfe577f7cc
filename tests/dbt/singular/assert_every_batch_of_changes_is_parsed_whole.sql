-- Per batch: rows that the ledger says were loaded = rows that were parsed; the deletions that a
-- change of a key implies come on top.
{{ batches_not_parsed_whole(ref('int_sales__changes')) }}
union all
{{ batches_not_parsed_whole(ref('int_products__changes')) }}
union all
{{ batches_not_parsed_whole(ref('int_customers__changes')) }}
union all
{{ batches_not_parsed_whole(ref('int_orders__changes')) }}
union all
{{ batches_not_parsed_whole(ref('int_users__changes')) }}
