-- One row per value that is not fit to be a fact, with the reason.
-- On Redshift spread evenly: never joined, looked up by key.
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='int_observations__normalized') }}",
            "{{ delete_affected('file_key', affected_files()) }}",
        ],
        indexes=[{'columns': ['observation_key']}, {'columns': ['file_key']}],
        dist='even',
        sort='file_key',
    )
}}

with {{ current_observations(kept(affected_files())) }}

select {{ contract_columns() }}
from current_observations
where quarantine_reasons is not null
