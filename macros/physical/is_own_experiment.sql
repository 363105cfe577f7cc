{#- Condition: the user who is logged in may see this experiment. `session_user` stays who it is
    inside a view, and whatever role a session has taken. Without rows for a user: nothing. -#}
{% macro is_own_experiment(column) -%}
    {{ column }} in (
        select access.experiment_id
        from {{ source('access', 'experiment_access') }} as access
        where access.user_name = cast(session_user as varchar(127))
    )
{%- endmacro %}
