-- Types: jsonb becomes SUPER and bytea VARBYTE by name; varchar(n) and char(n) count bytes.
create schema pg_standin;
grant usage on schema pg_standin to public;

update pg_type set typname = 'super' where oid = 3802;
update pg_type set typname = '_super' where oid = 3807;
update pg_type set typname = 'varbyte' where oid = 17;
update pg_type set typname = '_varbyte' where oid = 1001;

-- The longest prefix of at most `bytes` bytes that ends between two characters.
create function pg_standin.byte_prefix(value text, bytes integer) returns text
language plpgsql immutable strict as $$
declare
    cut text := left(value, bytes);
begin
    while octet_length(cut) > bytes loop
        cut := left(cut, -1);
    end loop;
    return cut;
end $$;

create function pg_standin.limit_varchar(value varchar, typmod integer, explicit boolean)
returns varchar language plpgsql immutable strict as $$
begin
    if typmod < 4 or octet_length(value) <= typmod - 4 then
        return value;
    end if;
    if explicit or octet_length(rtrim(value, ' ')) <= typmod - 4 then
        return pg_standin.byte_prefix(value, typmod - 4);
    end if;
    raise 'Value too long for character type' using errcode = '22001',
        detail = format('Value has %s bytes and the column holds %s.',
                        octet_length(value), typmod - 4);
end $$;

create function pg_standin.limit_char(value bpchar, typmod integer, explicit boolean)
returns bpchar language plpgsql immutable strict as $$
begin
    if octet_length(rtrim(value::text, ' ')) <= typmod - 4 then
        return pg_catalog.bpchar(rtrim(value::text, ' ')::bpchar, typmod, true);
    end if;
    if explicit then
        return pg_catalog.bpchar(pg_standin.byte_prefix(value::text, typmod - 4)::bpchar,
                                 typmod, true);
    end if;
    raise 'Value too long for character type' using errcode = '22001';
end $$;

update pg_cast set castfunc = 'pg_standin.limit_varchar'::regproc
where castsource = 'varchar'::regtype and casttarget = 'varchar'::regtype;
update pg_cast set castfunc = 'pg_standin.limit_char'::regproc
where castsource = 'bpchar'::regtype and casttarget = 'bpchar'::regtype;

-- TRY_CAST of text: null instead of an error. The grammar is Redshift's, which takes neither
-- underscores nor other bases nor `now`; a blank text is an error there.
create function pg_standin.try_cast(value text, type_name text, like_this anyelement)
returns anyelement language plpgsql stable as $$
declare
    result like_this%type;
    kind text := pg_typeof(like_this)::text;
begin
    if value is null then
        return null;
    elsif trim(value) = '' then
        raise 'TRY_CAST of a blank text: use nullif(trim(...), '''') first'
            using errcode = '22P02';
    elsif kind in ('smallint', 'integer', 'bigint') and value !~ '^[[:space:]]*[+-]?[0-9]+[[:space:]]*$' then
        return null;
    elsif kind in ('numeric', 'real', 'double precision')
        and value !~ '^[[:space:]]*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?[[:space:]]*$' then
        return null;
    elsif (kind = 'date' or kind like 'time%') and value !~ '^[[:space:]]*[+-]?[0-9A-Za-z]*[0-9]' then
        return null;
    end if;
    execute format('select cast(%L as %s)', value, type_name) into result;
    return result;
exception when data_exception or invalid_datetime_format then
    if trim(value) = '' then
        raise;
    end if;
    return null;
end $$;
