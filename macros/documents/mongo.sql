{#- Values of MongoDB's Extended JSON, canonical ({"$numberLong": "5"}) or relaxed (5), the same for
    both. A path is a list of attribute names, as of json_text. -#}

{#- A text, a truth value or a number of any type as text, a number with all its digits; null for
    anything else. The wrapped number is cut out of its JSON, which holds two texts: no path leads
    to `$numberLong` on Redshift, whose names need quotes for the $ and none for the capital. -#}
{% macro mongo_scalar(document, path) -%}
    {%- set found = json_serialized(document, path) -%}
    coalesce(
        {{ json_text(document, path) }},
        case
            when
                {{ json_type(document, path) }} = 'object'
                and split_part({{ found }}, '"', 2) in ('$numberInt', '$numberLong', '$numberDouble', '$numberDecimal')
                then split_part({{ found }}, '"', 4)
        end
    )
{%- endmacro %}

{#- A date as text: ISO 8601, or milliseconds since 1970 (canonical, or before 1970). -#}
{% macro mongo_date(document, path) -%}
    {{ mongo_scalar(document, path + ['$date']) }}
{%- endmacro %}

{#- Such a text as a timestamp in UTC, or null. -#}
{% macro mongo_timestamp(text) -%}
    coalesce({{ safe_timestamp(text) }}, {{ safe_milliseconds(text) }})
{%- endmacro %}
