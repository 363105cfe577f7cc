-- One row per measurement whose newest version is not fit to be a fact, with the reason.
-- On Redshift spread evenly: never joined, looked up by key.
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='int_measurements__normalized') }}",
            "{{ delete_affected('measurement_key', affected_measurements()) }}",
        ],
        indexes=[{'columns': ['measurement_key']}],
        dist='even',
        sort='measurement_key',
    )
}}

with {{ current_measurements(kept(affected_measurements())) }}

select {{ contract_columns() }}
from current_measurements
where quarantine_reasons is not null
