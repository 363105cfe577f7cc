{#- The versions of each key follow one another without gap or overlap, and the last one is open.
      valid_from, valid_to  the columns of the interval
      first_from            where the first version must start, if that is fixed -#}
{% test contiguous_versions(model, column_name, valid_from='valid_from', valid_to='valid_to', first_from=none) %}
with versions as (

    select
        {{ column_name }} as natural_key,
        {{ valid_from }} as valid_from,
        {{ valid_to }} as valid_to,
        lag({{ valid_to }}) over (partition by {{ column_name }} order by {{ valid_from }}, {{ valid_to }}) as previous_to,
        lead({{ valid_from }}) over (partition by {{ column_name }} order by {{ valid_from }}, {{ valid_to }}) as next_from
    from {{ model }}
    where {{ column_name }} <> '(unknown)'

)

select *
from versions
where
    valid_from >= valid_to
    or previous_to <> valid_from
    or (next_from is null and valid_to <> {{ max_timestamp() }})
    {%- if first_from %}
    or (previous_to is null and valid_from <> {{ first_from }})
    {%- endif %}
{% endtest %}
