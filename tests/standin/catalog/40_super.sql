-- SUPER: navigation, unnest, casts (lax: null where a value does not fit) and JSON functions.
create function pg_standin.get(doc super, key text, quoted boolean) returns super
language sql stable as $$
    select doc -> case
        when coalesce(nullif(current_setting('standin.enable_case_sensitive_super_attribute',
                                             true), ''), 'false')::boolean then key
        else lower(key) end
$$;
create function pg_standin.at(doc super, index integer) returns super
language sql immutable as $$ select case when index >= 0 then doc -> index end $$;

create function pg_standin.items(doc super) returns setof super
language sql immutable as $$
    select value from jsonb_array_elements(
        case when jsonb_typeof(doc) = 'array' then doc else '[]' end
    )
$$;
create function pg_standin.numbered_items(doc super, out value super, out index bigint)
returns setof record language sql immutable as $$
    select value, ordinality - 1 from jsonb_array_elements(
        case when jsonb_typeof(doc) = 'array' then doc else '[]' end
    ) with ordinality
$$;

create function pg_standin.to_varchar(doc super) returns varchar
language sql immutable strict as $$
    select case when jsonb_typeof(doc) in ('string', 'number', 'boolean') then doc #>> '{}' end
$$;
create function pg_standin.to_text(doc super) returns text
language sql immutable strict as $$ select pg_standin.to_varchar(doc)::text $$;
create function pg_standin.to_numeric(doc super) returns numeric
language sql immutable strict as $$
    select case when jsonb_typeof(doc) = 'number' then (doc #>> '{}')::numeric end
$$;
create function pg_standin.to_double(doc super) returns double precision
language sql immutable strict as $$ select pg_standin.to_numeric(doc)::double precision $$;
create function pg_standin.to_real(doc super) returns real
language sql immutable strict as $$ select pg_standin.to_numeric(doc)::real $$;
create function pg_standin.to_bigint(doc super) returns bigint
language sql immutable strict as $$
    select case when abs(pg_standin.to_numeric(doc)) < 9223372036854775808
        then pg_standin.to_numeric(doc)::bigint end
$$;
create function pg_standin.to_integer(doc super) returns integer
language sql immutable strict as $$
    select case when abs(pg_standin.to_numeric(doc)) < 2147483648
        then pg_standin.to_numeric(doc)::integer end
$$;
create function pg_standin.to_smallint(doc super) returns smallint
language sql immutable strict as $$
    select case when abs(pg_standin.to_numeric(doc)) < 32768
        then pg_standin.to_numeric(doc)::smallint end
$$;
create function pg_standin.to_boolean(doc super) returns boolean
language sql immutable strict as $$
    select case when jsonb_typeof(doc) = 'boolean' then (doc #>> '{}')::boolean
        when scale(pg_standin.to_numeric(doc)) = 0 then pg_standin.to_numeric(doc) <> 0 end
$$;
create function pg_standin.to_timestamp(doc super) returns timestamp
language sql stable strict as $$
    select case when jsonb_typeof(doc) = 'string'
        and pg_input_is_valid(doc #>> '{}', 'timestamp') then (doc #>> '{}')::timestamp end
$$;
create function pg_standin.to_timestamptz(doc super) returns timestamptz
language sql stable strict as $$
    select case when jsonb_typeof(doc) = 'string'
        and pg_input_is_valid(doc #>> '{}', 'timestamptz') then (doc #>> '{}')::timestamptz end
$$;
create function pg_standin.to_date(doc super) returns date
language sql stable strict as $$ select pg_standin.to_timestamp(doc)::date $$;

update pg_cast set castfunc = f.oid
from pg_proc f, (values ('bool', 'to_boolean'), ('numeric', 'to_numeric'), ('int2', 'to_smallint'),
    ('int4', 'to_integer'), ('int8', 'to_bigint'), ('float4', 'to_real'), ('float8', 'to_double')
) as m (type, function)
where castsource = 'super'::regtype and casttarget = m.type::regtype
  and f.proname = m.function and f.pronamespace = 'pg_standin'::regnamespace;
create cast (super as varchar) with function pg_standin.to_varchar(super) as assignment;
create cast (super as text) with function pg_standin.to_text(super) as assignment;
create cast (super as timestamp) with function pg_standin.to_timestamp(super) as assignment;
create cast (super as timestamptz) with function pg_standin.to_timestamptz(super) as assignment;
create cast (super as date) with function pg_standin.to_date(super) as assignment;

do $$
declare
    type text;
begin
    foreach type in array array['text', 'varchar', 'bool', 'int2', 'int4', 'int8', 'numeric',
                                'float4', 'float8'] loop
        execute format('create function pg_standin.to_super(value %1$s) returns super '
                       'language sql immutable strict as ''select to_jsonb(value)''', type);
        execute format('create cast (%1$s as super) with function pg_standin.to_super(%1$s) '
                       'as assignment', type);
    end loop;
end $$;

create function pg_catalog.json_parse(value text) returns super
language sql immutable strict as $$ select value::json::super $$;
create function pg_catalog.is_valid_json(value text) returns boolean
language sql immutable strict as $$
    select pg_input_is_valid(value, 'super') and jsonb_typeof(json_parse(value)) = 'object'
$$;
create function pg_catalog.can_json_parse(value text) returns boolean
language sql immutable strict as $$ select pg_input_is_valid(value, 'super') $$;
create function pg_catalog.json_typeof(doc super) returns text
language sql immutable strict as $$ select jsonb_typeof(doc) $$;
create function pg_standin.as_json(doc super) returns text
language plpgsql immutable strict as $$
begin
    return case jsonb_typeof(doc)
        when 'object' then (
            select '{' || coalesce(string_agg(to_json(key)::text || ':'
                                              || pg_standin.as_json(value),
                                              ','), '') || '}'
            from jsonb_each(doc))
        when 'array' then (
            select '[' || coalesce(string_agg(pg_standin.as_json(value), ','), '') || ']'
            from jsonb_array_elements(doc))
        else doc::json::text end;
end $$;
create function pg_catalog.json_size(doc super) returns integer
language sql immutable strict as $$ select octet_length(pg_standin.as_json(doc)) $$;
create function pg_standin.json_serialize(doc super) returns text
language plpgsql immutable as $$
begin
    if pg_catalog.json_size(doc) > 65535 then
        raise exception 'the JSON text is longer than a varchar';
    end if;
    return coalesce(pg_standin.as_json(doc), 'null');
end $$;
create function pg_catalog.get_array_length(doc super) returns bigint
language sql immutable strict as $$
    select case when jsonb_typeof(doc) = 'array' then jsonb_array_length(doc) end
$$;
create function pg_catalog.array_concat(a super, b super) returns super
language sql immutable strict as $$ select a || b $$;
create function pg_standin.super_array(variadic "any") returns super
language internal stable as 'jsonb_build_array';
create function pg_standin.super_array() returns super
language sql immutable as $$ select json_parse('[]') $$;
create function pg_standin.super_object(variadic "any") returns super
language internal stable as 'jsonb_build_object';

create function pg_catalog.is_array(doc super) returns boolean
language sql immutable as $$ select coalesce(jsonb_typeof(doc) = 'array', false) $$;
create function pg_catalog.is_object(doc super) returns boolean
language sql immutable as $$ select coalesce(jsonb_typeof(doc) = 'object', false) $$;
create function pg_catalog.is_scalar(doc super) returns boolean
language sql immutable as $$
    select coalesce(jsonb_typeof(doc) not in ('array', 'object', 'null'), false)
$$;
create function pg_catalog.is_varchar(doc super) returns boolean
language sql immutable as $$ select coalesce(jsonb_typeof(doc) = 'string', false) $$;
create function pg_catalog.is_boolean(doc super) returns boolean
language sql immutable as $$ select coalesce(jsonb_typeof(doc) = 'boolean', false) $$;
create function pg_catalog.is_integer(doc super) returns boolean
language sql immutable as $$ select coalesce(scale(pg_standin.to_numeric(doc)) = 0, false) $$;
create function pg_catalog.is_decimal(doc super) returns boolean
language sql immutable as $$ select coalesce(jsonb_typeof(doc) = 'number', false) $$;

create function pg_catalog.json_extract_path_text(value text, variadic path text[]) returns text
language sql immutable strict as $$ select coalesce(json_parse(value) #>> path, '') $$;
create function pg_catalog.json_array_length(value text) returns integer
language sql immutable strict as $$ select jsonb_array_length(json_parse(value)) $$;
create function pg_catalog.json_extract_array_element_text(value text, index integer) returns text
language sql immutable strict as $$ select json_parse(value) ->> index $$;
