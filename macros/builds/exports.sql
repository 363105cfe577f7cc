{#- Snapshots apply one export at a time, in the order of the exports' own times (version_at). -#}

{#- The snapshots of this project and the source table that each follows. -#}
{% macro snapshot_sources() -%}
    {{ return({
        'snap_experiments': 'research_db.experiments',
        'snap_locations': 'research_db.locations',
    }) }}
{%- endmacro %}

{#- The source table that a snapshot follows. -#}
{% macro snapshot_source(name) -%}
    {%- if execute and name not in snapshot_sources() -%}
        {{ exceptions.raise_compiler_error(
            "Snapshot '" ~ name ~ "' is not in snapshot_sources() (macros/builds/exports.sql), which says what it "
            ~ 'follows; there are: ' ~ snapshot_sources().keys() | join(', ')) }}
    {%- endif -%}
    {{ return(snapshot_sources()[name]) }}
{%- endmacro %}

{#- Which table an export is a copy of. It may come as CSV and as Parquet, whose raw table has the
    ending `_parquet`. -#}
{% macro exported_table(batches) -%}
    replace({{ batches }}.source_table, '_parquet', '')
{%- endmacro %}

{#- A query of the batches that do not count: replaced by another load, or exports as of a time for
    which there is another export (the one whose key sorts last counts, whatever came first). -#}
{% macro superseded_batches() -%}
    select batch_id
    from {{ source('ledger', 'events') }}
    where event = 'superseded'
    union
    select outranked.batch_id
    from {{ source('ledger', 'batches') }} as outranked
    inner join {{ source('ledger', 'batches') }} as winner
        on
            {{ exported_table('outranked') }} = {{ exported_table('winner') }}
            and outranked.version_at = winner.version_at
            and outranked.export_key < winner.export_key
    left join {{ source('ledger', 'events') }} as replaced
        on winner.batch_id = replaced.batch_id and replaced.event = 'superseded'
    where replaced.batch_id is null
{%- endmacro %}

{#- Condition: the batch `alias` counts. Not for use below an OR or inside an aggregate, where
    Redshift's planner cannot turn it into a join: join superseded_batches() there. -#}
{% macro is_live(alias) -%}
    {{ alias }}.batch_id not in ({{ superseded_batches() }})
{%- endmacro %}

{#- A query of the batches (batch_id, version_at) that a snapshot has applied. -#}
{% macro applied_exports(snapshot) -%}
    select batches.batch_id, batches.version_at, batches.export_key
    from {{ source('ledger', 'applied') }} as applied
    inner join {{ source('ledger', 'events') }} as events on applied.event_id = events.event_id
    inner join {{ source('ledger', 'batches') }} as batches on events.batch_id = batches.batch_id
    where applied.model = '{{ snapshot }}'
{%- endmacro %}

{#- A query of the exports (event_id, batch_id, version_at, export_key) that a snapshot has not
    applied yet. -#}
{% macro unapplied_exports(snapshot) -%}
    select events.event_id, batches.batch_id, batches.version_at, batches.export_key
    from {{ source('ledger', 'batches') }} as batches
    inner join {{ source('ledger', 'events') }} as events on batches.batch_id = events.batch_id
    where
        {{ exported_table('batches') }} = '{{ snapshot_source(snapshot) }}'
        and events.event = 'loaded'
        and {{ is_live('batches') }}
        and not exists (
            select 1
            from {{ source('ledger', 'applied') }} as applied
            where applied.model = '{{ snapshot }}' and applied.event_id = events.event_id
        )
{%- endmacro %}

{#- Pre-hook of a snapshot: claim the oldest export that is newer than all applied ones, if any.
    One that is older waits until `warehouse run` resets the snapshot and replays. -#}
{% macro claim_next_export() -%}
    {%- if execute -%}
        {%- do begin_claim() -%}
        {%- set next -%}
            select waiting.event_id
            from ({{ unapplied_exports(this.identifier) }}) as waiting
            where
                waiting.version_at > (
                    select coalesce(max(version_at), {{ min_timestamp() }})
                    from ({{ applied_exports(this.identifier) }}) as seen
                )
            order by waiting.version_at, waiting.export_key, waiting.batch_id
            limit 1
        {%- endset -%}
        {%- do return(record_claim(next)) -%}
    {%- endif -%}
{%- endmacro %}

{#- A query (snapshot_name, waiting, needs_reset) of the snapshots that `warehouse run` has work for.
    needs_reset: an export came late, or one that was applied has been replaced. -#}
{% macro waiting_exports() -%}
    {%- for snapshot in snapshot_sources() -%}
    {%- if not loop.first %}
    union all
    {% endif -%}
    select
        '{{ snapshot }}' as snapshot_name,
        count(waiting.batch_id) as waiting,
        coalesce(max(case when waiting.version_at <= applied.newest or applied.replaced > 0 then 1 else 0 end), 0)
            as needs_reset
    from (
        select
            max(seen.version_at) as newest,
            count(superseded.batch_id) as replaced
        from ({{ applied_exports(snapshot) }}) as seen
        left join ({{ superseded_batches() }}) as superseded on seen.batch_id = superseded.batch_id
    ) as applied
    left join ({{ unapplied_exports(snapshot) }}) as waiting on 1 = 1
    having count(waiting.batch_id) > 0
    {%- endfor -%}
{%- endmacro %}

{#- run-operation: empty snapshots (all of them, or these) and forget what they applied, so that their
    exports replay. Takes the build, so that none sees a snapshot that is half replayed. -#}
{% macro reset_snapshots(names=none) -%}
    {%- set chosen = names or snapshot_sources().keys() | list -%}
    {%- for name in chosen -%}
        {%- do snapshot_source(name) -%}
    {%- endfor -%}
    {%- if execute -%}
        {%- do take_build() -%}
        {%- for name in chosen if load_relation(ref(name)) is not none -%}
            {%- do execute_in_transaction('delete from ' ~ ref(name)) -%}
            {%- do execute_in_transaction('delete from ' ~ source('ledger', 'applied') ~ " where model = '" ~ name ~ "'") -%}
        {%- endfor -%}
        {%- do release_build('success') -%}
    {%- endif -%}
{%- endmacro %}
