{#- CTE `streamed` over a raw table of DynamoDB stream records (NEW_AND_OLD_IMAGES): what the record
    says was done, and where it stands in the order of changes. A removed item has its last image.
      relation    the raw table, whose column is `document`
      key         the table's key, an attribute of type S
      attributes  column -> path in the item, such as ['status', 'S']
      lists       attributes that should be lists: `<name>_type` says what a new image has there -#}
{% macro dynamodb_stream_rows(relation, key, attributes, lists=[]) -%}
records as (

    select
        document,
        {{ json_text('document', ['eventName']) }} as event_name,
        {{ json_text('document', ['eventID']) }} as event_id,
        {{ json_text('document', ['dynamodb', 'SequenceNumber']) }} as source_change_seq,
        {{ json_text('document', ['dynamodb', 'ApproximateCreationDateTime']) }} as source_committed_at,
        {{ json_text('document', ['dynamodb', 'Keys', key, 'S']) }} as source_key,
        _batch_id,
        _loaded_at
    from {{ relation }}

),

-- Since 1970: seconds, which GetRecords gives whole and some runtimes write as a float, or
-- milliseconds, as Kinesis Data Streams delivers them.
timed as (

    select
        records.*,
        case
            when source_committed_at ~ '^[0-9]{13,15}$' then source_committed_at
            when source_committed_at ~ '^[0-9]{1,12}([.][0-9]*)?$' then split_part(source_committed_at, '.', 1) || '000'
        end as committed_milliseconds
    from records

),

streamed as (

    select
        ---------- what was done, and when
        case event_name when 'INSERT' then 'I' when 'MODIFY' then 'U' when 'REMOVE' then 'D' else event_name end
            as source_operation,
        source_change_seq,
        source_committed_at,
        cast(null as varchar(64)) as former_key,
        {{ text_or_null('source_key') }} as source_key,
        {{ safe_milliseconds('committed_milliseconds') }} as changed_at,
        -- Up to 40 digits; of equal length they are ordered as numbers.
        case when source_change_seq ~ '^[0-9]{1,40}$' then lpad(source_change_seq, 40, '0') end as change_sequence,

        ---------- attributes, as the source wrote them
        {{ text_or_null('event_id') }} as event_id,
        {{ text_or_null('source_key') }} as {{ key }},
        {% for column, path in attributes.items() -%}
        case
            when event_name = 'REMOVE' then {{ json_text('document', ['dynamodb', 'OldImage'] + path) }}
            else {{ json_text('document', ['dynamodb', 'NewImage'] + path) }}
        end as {{ column }},
        {% endfor -%}
        {% for name in lists -%}
        {%- set path = ['dynamodb', 'NewImage', name] -%}
        case
            when {{ json_type('document', path + ['L']) }} = 'array' then 'array'
            when
                {% for type in ['S', 'N', 'BOOL', 'B', 'M', 'SS', 'NS', 'BS'] -%}
                {{ json_exists('document', path + [type]) }}{{ ' or ' if not loop.last }}
                {%- endfor %}
                then 'other'
            else 'null'
        end as {{ name }}_type,
        {% endfor %}
        ---------- load
        _batch_id,
        _loaded_at
    from timed

)
{%- endmacro %}

{#- Reason: a text is longer than the marts have room for. -#}
{% macro too_long_reason(columns) -%}
    case
            when
                {% for column in columns -%}
                octet_length({{ column }}) > 200{{ ' or ' if not loop.last }}
                {%- endfor %}
                then ',value_too_long'
            else ''
        end
{%- endmacro %}
