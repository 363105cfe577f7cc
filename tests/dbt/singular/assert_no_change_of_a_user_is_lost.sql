-- Every user with a fit change is in the dimension, every unfit change is quarantined.
{{ changes_out_of_place(ref('int_users__changes'), 'user') }}
