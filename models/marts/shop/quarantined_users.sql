-- One row per change of a user that takes no part in its history, with the reason.
-- On Redshift spread evenly: never joined, looked up by key.
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='int_users__changes') }}",
            "{{ delete_affected('change_key', affected_changes(ref('int_users__changes'))) }}",
        ],
        indexes=[{'columns': ['change_key']}],
        dist='even',
        sort='change_key',
    )
}}

{{ quarantined_changes(ref('int_users__changes')) }}
