{#- Waits until no other transaction writes this model, and keeps others out until commit.
    The lock is our own: locking the model's table on Redshift would block its readers. -#}
{% macro lock_model(name) -%}
    {{ return(adapter.dispatch('lock_model')(name)) }}
{%- endmacro %}

{% macro postgres__lock_model(name) -%}
    select pg_advisory_xact_lock(hashtext('{{ source("ledger", "applied") }}'), hashtext('{{ name }}'))
{%- endmacro %}

{% macro redshift__lock_model(name) -%}
    lock table {{ source('ledger', 'build_lock') }}
{%- endmacro %}
