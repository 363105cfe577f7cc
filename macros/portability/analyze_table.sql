{#- Fresh statistics after a large change (a tenth of the table, at which autovacuum comes, too):
    PostgreSQL plans the next model with them. Redshift analyzes by itself (auto analyze). -#}
{% macro analyze_table(relation) -%}
    {{ return(adapter.dispatch('analyze_table')(relation)) }}
{%- endmacro %}

{% macro postgres__analyze_table(relation) -%}
    do $$
    begin
        -- Rows are counted when a transaction ends: this one's stand apart. Below 0: never analyzed.
        if exists (
            select 1
            from pg_class
            where
                oid = '{{ relation }}'::regclass
                and (
                    reltuples < 0
                    or pg_stat_get_mod_since_analyze(oid) + pg_stat_get_xact_tuples_inserted(oid)
                    + pg_stat_get_xact_tuples_updated(oid) + pg_stat_get_xact_tuples_deleted(oid)
                    > reltuples / 10
                )
        ) then
            analyze {{ relation }};
        end if;
    end
    $$
{%- endmacro %}

{% macro redshift__analyze_table(relation) -%}
{%- endmacro %}
