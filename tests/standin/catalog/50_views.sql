-- What the stand-in remembers of relations, and Redshift's system views over it.
create table pg_standin.relation (
    oid oid primary key, diststyle text not null, distkey text, sortstyle text,
    sortkeys text[] not null default '{}', encoded boolean not null default false
);
create table pg_standin.materialized_view (
    oid oid primary key, storage oid not null, definition text not null, autorefresh boolean not null
);
create table pg_standin.late_binding (oid oid primary key, definition text not null);
-- The columns that late-binding views have now, as the session found out before its query.
create view pg_standin.late_binding_column as
select c.* from json_to_recordset(
    coalesce(nullif(current_setting('standin.late_binding_columns', true), ''), '[]')::json
) as c (oid oid, name text, type text, position integer);
create table pg_standin.write (table_id oid, start_time timestamp);
create table pg_standin.ended_session (
    user_id oid, session_id integer, database_name text, start_time timestamp, end_time timestamp
);
grant all on all tables in schema pg_standin to public;

create function pg_standin.log_write(target regclass) returns void language sql as $$
    insert into pg_standin.write values (target, clock_timestamp() at time zone 'UTC')
$$;
create function pg_standin.is_materialized(view oid) returns boolean language sql stable as $$
    select exists (select from pg_standin.materialized_view m where m.oid = view)
$$;
create function pg_standin.is_late_binding(view oid) returns boolean language sql stable as $$
    select exists (select from pg_standin.late_binding l where l.oid = view)
$$;
create function pg_standin.definition(view oid, plain text) returns text language sql stable as $$
    select coalesce((select definition from pg_standin.materialized_view where oid = view),
                    (select definition from pg_standin.late_binding where oid = view), plain)
$$;
-- The catalog counts whoever asks: no privilege on the table is needed.
create function pg_standin.row_count(target oid) returns bigint language plpgsql stable
security definer as $$
declare
    counted bigint;
begin
    execute format('select count(*) from %s', target::regclass) into counted;
    return counted;
end $$;
-- A computed decimal has no scale on PostgreSQL; on Redshift it always has one. Its true scale is
-- not known here: one that loses nothing in practice is reported.
create function pg_standin.type_name(type oid, typmod integer) returns text
language sql stable as $$
    select case when type = 'text'::regtype then 'character varying(65535)'
        when type = 'numeric'::regtype and typmod < 0 then 'numeric(38,12)'
        else format_type(type, typmod) end
$$;
create function pg_standin.bare_type(type oid, typmod integer) returns text
language sql stable as $$
    select regexp_replace(pg_standin.type_name(type, typmod), '[(].*[)]', '')
$$;
create function pg_standin.character_length(type oid, typmod integer) returns integer
language sql immutable as $$
    select case when type in (1042, 1043, 25)
        then case when typmod > 4 then typmod - 4 else 65535 end end
$$;
create function pg_standin.numeric_precision(type oid, typmod integer) returns integer
language sql immutable as $$
    select case type when 1700 then case when typmod < 0 then 38 else ((typmod - 4) >> 16) & 65535 end
        when 20 then 64 when 23 then 32 when 21 then 16 when 701 then 53 when 700 then 24 end
$$;
create function pg_standin.numeric_scale(type oid, typmod integer) returns integer
language sql immutable as $$
    select case type when 1700 then case when typmod < 0 then 12 else (typmod - 4) & 2047 end
        when 20 then 0 when 23 then 0 when 21 then 0 end
$$;
create function pg_standin.dist_style(target oid) returns text language sql stable as $$
    select coalesce((select case when diststyle = 'KEY' then format('KEY(%s)', distkey)
        when diststyle = 'AUTO' then 'AUTO(ALL)' else diststyle end
        from pg_standin.relation where oid = target), 'AUTO(ALL)')
$$;

-- The attributes of columns that Redshift keeps in pg_attribute.
create view pg_standin.attribute as
select a.*,
    coalesce(r.distkey = a.attname, false) as attisdistkey,
    coalesce(array_position(r.sortkeys, a.attname::text), 0) as attsortkeyord,
    0 as attencodingtype
from pg_attribute a left join pg_standin.relation r on r.oid = a.attrelid;

-- Every relation that a client can see, in Redshift's terms.
create view pg_standin.visible as
select c.oid, n.nspname as schema_name, c.relname as name, pg_get_userbyid(c.relowner) as owner,
    case when c.relkind = 'v' then 'VIEW' else 'TABLE' end as kind,
    case when pg_standin.is_materialized(c.oid) then 'MATERIALIZED VIEW'
         when pg_standin.is_late_binding(c.oid) then 'LATE BINDING VIEW'
         when c.relkind = 'v' then 'REGULAR VIEW' else 'REGULAR TABLE' end as subtype,
    coalesce(m.storage, c.oid) as storage, c.relacl
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_standin.materialized_view m on m.oid = c.oid
where c.relkind in ('r', 'v') and n.nspname not in ('information_schema', 'pg_catalog')
  and n.nspname !~ '^pg_(standin|toast)';

create view pg_standin.visible_column as
select v.oid, v.schema_name, v.name as table_name, a.attname as column_name,
    a.attnum::integer as ordinal_position, a.atttypid as type, a.atttypmod as typmod,
    pg_get_expr(d.adbin, d.adrelid) as column_default, a.attnotnull as not_null,
    s.attisdistkey as distkey, s.attsortkeyord as sortkey, col_description(v.oid, a.attnum) as remarks
from pg_standin.visible v
join pg_attribute a on a.attrelid = v.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join pg_standin.attribute s on s.attrelid = v.storage and s.attname = a.attname
where not pg_standin.is_late_binding(v.oid)
union all
select v.oid, v.schema_name, v.name, l.name, l.position, to_regtype(l.type), to_regtypemod(l.type),
    null, false, false, 0, null
from pg_standin.visible v join pg_standin.late_binding_column l using (oid);

-- Views of PostgreSQL that Redshift has too, with Redshift's content.
do $$
declare
    target record;
    columns text;
begin
    for target in
        select * from (values ('pg_catalog', 'pg_views'), ('information_schema', 'views'),
                              ('information_schema', 'columns'), ('information_schema', 'tables'))
        as t (schema, name)
    loop
        execute format('create view pg_standin.original_%s as %s', target.name,
                       pg_get_viewdef(format('%I.%I', target.schema, target.name)::regclass));
        select string_agg(case
                when target.name = 'pg_views' and attname = 'definition' then
                    'pg_standin.definition(format(''%I.%I'', schemaname, viewname)::regclass, '
                    'definition) as definition'
                when target.name = 'views' and attname = 'view_definition' then
                    'pg_standin.definition(format(''%I.%I'', table_schema, table_name)::regclass, '
                    'view_definition)::information_schema.character_data as view_definition'
                when target.name = 'columns' and attname = 'data_type' then
                    'case data_type when ''text'' then ''character varying'' else data_type end'
                    '::information_schema.character_data as data_type'
                when target.name = 'columns' and attname = 'character_maximum_length' then
                    'case when data_type in (''text'', ''character varying'') then '
                    'coalesce(character_maximum_length, 65535) else character_maximum_length end'
                    '::information_schema.cardinal_number as character_maximum_length'
                when target.name = 'columns' and attname in ('numeric_precision', 'numeric_scale') then
                    format('coalesce(%1$I, case when data_type = ''numeric'' then %2$s end)'
                           '::information_schema.cardinal_number as %1$I', attname,
                           case attname when 'numeric_scale' then 12 else 38 end)
                else quote_ident(attname) end, ', ' order by attnum)
        into columns from pg_attribute
        where attrelid = format('%I.%I', target.schema, target.name)::regclass and attnum > 0;
        execute format('create or replace view %I.%I as select %s from pg_standin.original_%s%s',
            target.schema, target.name, columns, target.name,
            case when target.schema = 'information_schema'
                then ' where table_schema <> ''pg_standin''' else '' end);
    end loop;
end $$;

create function pg_catalog.pg_get_late_binding_view_cols() returns setof record
language sql stable as $$
    select schema_name, table_name, column_name, pg_standin.type_name(type, typmod)::varchar,
        ordinal_position
    from pg_standin.visible_column where pg_standin.is_late_binding(oid)
$$;

create view pg_catalog.svv_table_info as
select current_database()::text as database, v.schema_name::text as schema, v.oid as table_id,
    v.name::text as "table", case when r.encoded then 'Y' else 'N' end as encoded,
    pg_standin.dist_style(v.storage) as diststyle,
    coalesce(r.sortkeys[1], 'AUTO(SORTKEY)') as sortkey1,
    coalesce((select max(greatest(typmod - 4, 0)) from pg_standin.visible_column c
              where c.oid = v.oid and c.type = 'varchar'::regtype), 0) as max_varchar,
    null::text as sortkey1_enc, coalesce(cardinality(r.sortkeys), 0) as sortkey_num,
    greatest(pg_relation_size(v.storage) / 1048576, 1) as size, 0.0 as pct_used, 0 as empty,
    0.0 as unsorted, 0.0 as stats_off, pg_standin.row_count(v.storage)::numeric as tbl_rows,
    null::numeric as skew_sortkey1, null::numeric as skew_rows
from pg_standin.visible v left join pg_standin.relation r on r.oid = v.storage
where v.subtype in ('REGULAR TABLE', 'MATERIALIZED VIEW') and v.schema_name !~ '^pg_temp';

create view pg_catalog.svv_mv_info as
select current_database()::text as database_name, v.schema_name::text, v.owner::text as user_name,
    v.name::text, 'f'::char(1) as is_stale, 1 as state,
    case when m.autorefresh then 't' else 'f' end::char(1) as autorefresh
from pg_standin.visible v join pg_standin.materialized_view m using (oid);
create view pg_catalog.stv_mv_info as
select database_name as db_name, schema_name as schema, name, user_name as owner_user_name, is_stale,
    state, autorefresh from pg_catalog.svv_mv_info;

create view pg_catalog.svv_redshift_columns as
select current_database()::text as database_name, schema_name::text, table_name::text,
    column_name::text, ordinal_position, pg_standin.type_name(type, typmod) as data_type,
    column_default, case when not_null then 'NO' else 'YES' end as is_nullable, ''::text as encoding,
    distkey, sortkey, null::text as column_acl, remarks
from pg_standin.visible_column;
create view pg_catalog.svv_all_columns as select * from pg_catalog.svv_redshift_columns;
create view pg_catalog.svv_columns as
select current_database()::text as table_catalog, schema_name::text as table_schema,
    table_name::text, column_name::text, ordinal_position, column_default,
    case when not_null then 'NO' else 'YES' end as is_nullable,
    pg_standin.bare_type(type, typmod) as data_type,
    pg_standin.character_length(type, typmod) as character_maximum_length,
    pg_standin.numeric_precision(type, typmod) as numeric_precision,
    pg_standin.numeric_scale(type, typmod) as numeric_scale, remarks
from pg_standin.visible_column;
create view pg_catalog.svv_redshift_tables as
select current_database()::text as database_name, schema_name::text, name::text as table_name,
    kind as table_type, relacl::text as table_acl, obj_description(oid, 'pg_class') as remarks,
    owner::text as table_owner
from pg_standin.visible;
create view pg_catalog.svv_all_tables as select * from pg_catalog.svv_redshift_tables;
create view pg_catalog.svv_tables as
select database_name as table_catalog, schema_name as table_schema, table_name, table_type, remarks
from pg_catalog.svv_redshift_tables;
create view pg_catalog.svv_external_columns as
select ''::text as schemaname, ''::text as tablename, ''::text as columnname,
    ''::text as external_type, 0 as columnnum, 0 as part_key, ''::text as is_nullable
where false;
create view pg_catalog.pg_table_def as
select schema_name as schemaname, table_name as tablename, column_name as "column",
    pg_standin.type_name(type, typmod) as type, 'none'::text as encoding, distkey, sortkey,
    not_null as "notnull"
from pg_standin.visible_column join pg_class c using (oid)
where c.relkind = 'r' and schema_name = any (current_schemas(false));

-- Roles: a group or a role of Redshift is a role of PostgreSQL; its comment says which.
create function pg_standin.identity_type(role oid) returns text language sql stable as $$
    select case when role = 0 then 'public'
        when shobj_description(role, 'pg_authid') = 'group' then 'group'
        when (select rolcanlogin from pg_roles where oid = role) then 'user' else 'role' end
$$;
create function pg_standin.check_identity(name text, kind text) returns void
language plpgsql stable as $$
begin
    if name <> 'public' and not exists (
        select from pg_roles where rolname = name and pg_standin.identity_type(oid) = kind
    ) then
        raise undefined_object using message = format('%s "%s" does not exist', kind, name);
    end if;
end $$;
create view pg_catalog.svv_roles as
select oid as role_id, rolname::text as role_name, null::text as role_owner,
    null::text as external_id
from pg_roles where pg_standin.identity_type(oid) = 'role' and rolname !~ '^pg_';
create view pg_catalog.svv_role_grants as
select m.role_id, m.role_name, g.role_id as granted_role_id, g.role_name as granted_role_name
from pg_auth_members a
join pg_catalog.svv_roles m on m.role_id = a.member
join pg_catalog.svv_roles g on g.role_id = a.roleid;
create view pg_catalog.svv_user_grants as
select u.oid as user_id, u.rolname::text as user_name, g.role_id, g.role_name,
    a.admin_option
from pg_auth_members a
join pg_roles u on u.oid = a.member and pg_standin.identity_type(u.oid) = 'user'
join pg_catalog.svv_roles g on g.role_id = a.roleid
where u.rolname = current_user or (select rolsuper from pg_roles where rolname = current_user);
create view pg_catalog.svv_relation_privileges as
select v.schema_name::text as namespace_name, v.name::text as relation_name,
    a.privilege_type, a.grantee as identity_id,
    case when a.grantee = 0 then 'public' else pg_get_userbyid(a.grantee) end::text as identity_name,
    pg_standin.identity_type(a.grantee) as identity_type, a.is_grantable as admin_option,
    pg_get_userbyid(a.grantor)::text as grantor_name, v.kind
from pg_standin.visible v, aclexplode(v.relacl) a
where a.privilege_type <> 'MAINTAIN';

create view pg_catalog.sys_query_detail as
select table_id, 'insert'::text as step_name, start_time from pg_standin.write;
create view pg_catalog.sys_session_history as
select usesysid as user_id, pid as session_id, datname::text as database_name,
    backend_start at time zone 'UTC' as start_time, null::timestamp as end_time
from pg_stat_activity
where datname is not null and application_name <> 'stand-in'
  and (usename = current_user or (select usesuper from pg_user where usename = current_user))
  -- Recorded as ended before the server has let go of the process.
  and not exists (
    select 1 from pg_standin.ended_session as ended
    where ended.session_id = pg_stat_activity.pid
      and ended.start_time = pg_stat_activity.backend_start at time zone 'UTC'
  )
union all
select * from pg_standin.ended_session
where user_id = (select usesysid from pg_user where usename = current_user)
   or (select usesuper from pg_user where usename = current_user);
create view pg_catalog.stv_sessions as
select a.backend_start at time zone 'UTC' as starttime, a.pid as process,
    a.usename::text as user_name, a.datname::text as db_name
from pg_stat_activity a where a.datname is not null and a.application_name <> 'stand-in';

-- SHOW statements become queries of these functions.
create function pg_standin.show_tables(database text, schema text, pattern text) returns table (
    database_name text, schema_name text, table_name text, table_type text, table_acl text,
    remarks text, owner text, last_altered_time timestamp, last_modified_time timestamp,
    dist_style text, table_subtype text
) language sql stable as $$
    select current_database()::text, v.schema_name::text, v.name::text, v.kind, v.relacl::text,
        obj_description(v.oid, 'pg_class'), v.owner::text, null::timestamp,
        (select max(start_time) from pg_standin.write where table_id = v.oid),
        pg_standin.dist_style(v.storage), v.subtype
    from pg_standin.visible v
    where database = current_database() and v.schema_name = schema and v.name like pattern
    order by v.name
$$;
create function pg_standin.show_columns(database text, schema text, relation text) returns table (
    database_name text, schema_name text, table_name text, column_name text,
    ordinal_position integer, column_default text, is_nullable text, data_type text,
    character_maximum_length integer, numeric_precision integer, numeric_scale integer,
    remarks text, sort_key_type text, sort_key integer, dist_key integer, encoding text,
    collation_name text
) language sql stable as $$
    select current_database()::text, schema_name::text, table_name::text, column_name::text,
        ordinal_position, column_default, case when not_null then 'NO' else 'YES' end,
        pg_standin.bare_type(type, typmod), pg_standin.character_length(type, typmod),
        pg_standin.numeric_precision(type, typmod), pg_standin.numeric_scale(type, typmod),
        remarks, null::text, sortkey, distkey::integer, 'none', null::text
    from pg_standin.visible_column
    where database = current_database() and schema_name = schema and table_name = relation
    order by ordinal_position
$$;
create function pg_standin.show_schemas(database text, pattern text) returns table (
    database_name text, schema_name text, schema_owner text, schema_type text, schema_acl text,
    source_database text, schema_option text
) language sql stable as $$
    select current_database()::text, nspname::text, pg_get_userbyid(nspowner)::text, 'local',
        nspacl::text, null::text, null::text
    from pg_namespace
    where database = current_database() and nspname like pattern
      and nspname !~ '^pg_' and nspname <> 'information_schema'
    order by nspname
$$;
create function pg_standin.show_grants(database text, schema text, relation text) returns table (
    database_name text, schema_name text, object_name text, object_type text, privilege_type text,
    identity_id oid, identity_name text, identity_type text, admin_option boolean,
    privilege_scope text, grantor_name text
) language sql stable as $$
    select current_database()::text, namespace_name, relation_name, kind, privilege_type,
        identity_id, case identity_type when 'group' then '/' else '' end || identity_name,
        case identity_type when 'group' then 'role' else identity_type end, admin_option, 'TABLE',
        grantor_name
    from svv_relation_privileges
    where database = current_database() and namespace_name = schema and relation_name = relation
$$;
grant select on all tables in schema pg_standin, pg_catalog to public;

-- Text that CREATE TABLE AS inferred has no length on PostgreSQL; on Redshift it has one.
create function pg_standin.settle_types(target regclass) returns void language plpgsql as $$
declare
    name text;
begin
    for name in select attname from pg_attribute
        where attrelid = target and attnum > 0
          and (atttypid = 'text'::regtype or atttypid = 'varchar'::regtype and atttypmod < 0)
    loop
        execute format('alter table %s alter column %I type varchar(65535)', target, name);
    end loop;
end $$;
