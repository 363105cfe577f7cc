{#- What follows a relation in FROM to give a row per element of the array at `path`, a list of
    attribute names, in its column `document`: `element` is then a document for the other json_
    macros, also for a further json_elements(none, 'element', …). No array or an empty one: no row.
      relation  alias of the relation; none where `document` is an element of a former array
      position  a name for the element's place, counted from 0, if it is wanted
    Use it last in FROM, after all joins: on Redshift it begins with a comma. -#}
{% macro json_elements(relation, document, path, element, position=none) -%}
    {{ return(adapter.dispatch('json_elements')(relation, document, path, element, position)) }}
{%- endmacro %}

{% macro postgres__json_elements(relation, document, path, element, position) -%}
    {%- set found = json_path((relation ~ '.' if relation else '') ~ document, path) -%}
    cross join lateral (
        select
            unnested.value as {{ element }}
            {%- if position %},
            unnested.place - 1 as {{ position }}
            {%- endif %}
        from jsonb_array_elements(case when jsonb_typeof({{ found }}) = 'array' then {{ found }} else '[]' end)
            with ordinality as unnested (value, place)
    ) as {{ element }}_items
{%- endmacro %}

{% macro redshift__json_elements(relation, document, path, element, position) -%}
    , {{ json_path((relation ~ '.' if relation else '') ~ document, path) }} as {{ element }}
    {%- if position %} at {{ position }}{% endif %}
{%- endmacro %}
