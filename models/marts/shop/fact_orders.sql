-- One row per order. On Redshift the rows of one user lie together, in order of time.
{%- set affected -%}
affected_records(ref('int_orders__changes'), at='ordered_at', dimensions=['user'])
{%- endset %}
{{
    config(
        pre_hook=[
            "{{ claim_events(follows='int_orders__changes') }}",
            "{{ delete_affected('order_key', 'select record_key as order_key from (' ~ " ~ affected ~ " ~ ') as r') }}",
        ],
        post_hook=[
            "{{ remember_versions(ref('dim_users'), 'user_id', 'user_key') }}",
            "{{ analyze_table(this) }}",
        ],
        indexes=[{'columns': ['order_key']}, {'columns': ['ordered_at']}],
        dist='user_id',
        sort=['ordered_at'],
    )
}}

with {{ newest_changes(
    ref('int_orders__changes'),
    key=['record_key', 'order_id'],
    affected=kept(affected_records(ref('int_orders__changes'), at='ordered_at', dimensions=['user'])),
) }},

users as (

    select * from {{ ref('dim_users') }}

),

keyed as (

    select
        ---------- keys
        orders.record_key as order_key,
        orders.order_id,
        coalesce(users.user_key, -1) as user_key,
        orders.user_id,
        cast(to_char(orders.ordered_at, 'YYYYMMDD') as integer) as date_key,

        ---------- timestamps
        orders.ordered_at,
        orders.changed_at,

        ---------- texts
        orders.status,

        ---------- numerics
        orders.total,

        ---------- load
        orders._batch_id,
        orders._loaded_at
    from newest_changes as orders
    left join users
        on
            orders.user_id = users.user_id
            and orders.ordered_at >= users.valid_from
            and orders.ordered_at < users.valid_to
    where orders.quarantine_reasons is null

)

select {{ contract_columns() }}
from keyed
