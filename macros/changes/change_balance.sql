{#- For balance tests (I2) over int_<entity>__changes. -#}

{#- A query of the batches whose rows in the ledger and in the model differ. -#}
{% macro batches_not_parsed_whole(changes) -%}
    select
        '{{ changes.identifier }}' as model,
        coalesce(loaded.batch_id, parsed._batch_id) as batch_id,
        loaded.rows_loaded as rows_in,
        parsed.n as rows_parsed
    from (
        select
            batches.batch_id,
            batches.rows_loaded
        from {{ source('ledger', 'applied') }} as applied
        inner join {{ source('ledger', 'events') }} as events
            on applied.event_id = events.event_id and events.event = 'loaded'
        inner join {{ source('ledger', 'batches') }} as batches on events.batch_id = batches.batch_id
        where applied.model = '{{ changes.identifier }}'
    ) as loaded
    full outer join (
        select
            _batch_id,
            sum(case when is_key_change then 0 else 1 end) as n
        from {{ changes }}
        group by _batch_id
    ) as parsed on loaded.batch_id = parsed._batch_id
    where loaded.batch_id is null or loaded.rows_loaded <> coalesce(parsed.n, 0)
{%- endmacro %}

{#- A query of one row (records_in, n_<mart>…, deleted) if the records with a live change are not
    those of the marts and the deleted ones. Nothing while a mart lags behind after a partial build.
      marts  relations with a row per record; their names are the columns -#}
{% macro records_out_of_place(changes, marts) -%}
    select
        records.records_in,
        {% for mart in marts -%}
        {{ mart.identifier }}.n as n_{{ mart.identifier }},
        {% endfor -%}
        records.deleted
    from (
        select
            count(*) as records_in,
            sum(case when change_operation = 'D' and quarantine_reasons is null then 1 else 0 end) as deleted
        from (
            select
                change_operation,
                quarantine_reasons,
                row_number() over (partition by record_key order by {{ change_order('desc') }}) as recency
            from {{ changes }}
            where _is_live
        ) as ranked
        where recency = 1
    ) as records
    {% for mart in marts -%}
    cross join (select count(*) as n from {{ mart }}) as {{ mart.identifier }}
    {% endfor -%}
    where
        records.records_in <> records.deleted
        {%- for mart in marts %} + {{ mart.identifier }}.n{% endfor %}
        {%- for mart in marts %}
        and not exists ({{ lagging_events(changes.identifier, mart.identifier) }})
        {%- endfor %}
{%- endmacro %}

{#- A query of the keys that stand in a dimension and in none of the changes that fit, or the other
    way round, and of the unfit changes that are not quarantined. The dimension follows its view. -#}
{% macro changes_out_of_place(changes, entity) -%}
    select
        coalesce(known.natural_key, dimension.natural_key) as natural_key,
        'not in both' as what
    from (
        select distinct {{ entity }}_id as natural_key
        from {{ changes }}
        where _is_live and quarantine_reasons is null
    ) as known
    full outer join (
        select distinct {{ entity }}_id as natural_key
        from {{ ref('dim_' ~ entity ~ 's') }}
        where {{ entity }}_key <> -1
    ) as dimension on known.natural_key = dimension.natural_key
    where known.natural_key is null or dimension.natural_key is null
    union all
    select
        unfit.{{ entity }}_id as natural_key,
        'not quarantined' as what
    from {{ changes }} as unfit
    left join {{ ref('quarantined_' ~ entity ~ 's') }} as quarantined on unfit.change_key = quarantined.change_key
    where
        unfit._is_live
        and unfit.quarantine_reasons is not null
        and quarantined.change_key is null
        and not exists ({{ lagging_events(changes.identifier, 'quarantined_' ~ entity ~ 's') }})
{%- endmacro %}
