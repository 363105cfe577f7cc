-- Scalar functions that PostgreSQL lacks, or that mean something else there. A built-in one of
-- another meaning is renamed out of the way first.
update pg_proc set proname = 'pg_' || proname
where pronamespace = 'pg_catalog'::regnamespace
  and (proname in ('concat', 'regexp_replace', 'regexp_substr', 'version')
       or (proname in ('extract', 'date_part')
           and proargtypes[1] in ('timestamp'::regtype, 'timestamptz'::regtype, 'date'::regtype)));

create function pg_catalog.version() returns text language sql stable as $$
    select 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 '
           '(Red Hat 3.4.2-6.fc3), Redshift 1.0.0-standin'
$$;

-- Dates and times --------------------------------------------------------------------------

create function pg_standin.date_unit(part text) returns text
language plpgsql immutable strict as $$
declare
    unit text := case
        when lower(part) in ('y', 'yr', 'yrs', 'year', 'years') then 'year'
        when lower(part) in ('qtr', 'qtrs', 'quarter', 'quarters') then 'quarter'
        when lower(part) in ('mon', 'mons', 'month', 'months') then 'month'
        when lower(part) in ('w', 'week', 'weeks') then 'week'
        when lower(part) in ('d', 'day', 'days') then 'day'
        when lower(part) in ('h', 'hr', 'hrs', 'hour', 'hours') then 'hour'
        when lower(part) in ('m', 'min', 'mins', 'minute', 'minutes') then 'minute'
        when lower(part) in ('s', 'sec', 'secs', 'second', 'seconds') then 'second'
        when lower(part) in ('ms', 'msec', 'msecs', 'msecond', 'mseconds', 'millisec',
                             'millisecs', 'millisecon', 'millisecond', 'milliseconds')
            then 'millisecond'
        when lower(part) in ('us', 'usec', 'usecs', 'microsec', 'microsecs', 'microsecond',
                             'microseconds') then 'microsecond'
        when lower(part) in ('dow', 'dayofweek', 'dw', 'weekday') then 'dow'
        when lower(part) in ('doy', 'dayofyear', 'dy', 'yearday') then 'doy'
        when lower(part) in ('epoch', 'isodow', 'isoyear', 'decade', 'century', 'millennium')
            then lower(part)
    end;
begin
    if unit is null then
        raise 'date part "%" is not supported', part using errcode = '0A000';
    end if;
    return unit;
end $$;

create function pg_standin.span(part text, number bigint) returns interval
language plpgsql immutable strict as $$
begin
    return case pg_standin.date_unit(part)
        when 'quarter' then number * interval '3 months'
        when 'millisecond' then number * interval '1 millisecond'
        when 'microsecond' then number * interval '1 microsecond'
        else number * ('1 ' || pg_standin.date_unit(part))::interval
    end;
end $$;

create function pg_catalog.dateadd(part text, number bigint, at timestamp) returns timestamp
language sql immutable strict as $$ select at + pg_standin.span(part, number) $$;
create function pg_catalog.dateadd(part text, number bigint, at timestamptz) returns timestamptz
language sql stable strict as $$ select at + pg_standin.span(part, number) $$;
create function pg_catalog.dateadd(part text, number bigint, at date) returns timestamp
language sql immutable strict as $$ select at::timestamp + pg_standin.span(part, number) $$;

-- How often the boundary of a date part lies between two instants.
create function pg_catalog.datediff(part text, since timestamp, until timestamp) returns bigint
language plpgsql immutable strict as $$
declare
    unit text := pg_standin.date_unit(part);
    micros constant numeric := case unit when 'hour' then 3600000000 when 'minute' then 60000000
        when 'second' then 1000000 when 'millisecond' then 1000 when 'microsecond' then 1 end;
    months integer := (pg_extract('year', until) - pg_extract('year', since)) * 12
        + pg_extract('month', until) - pg_extract('month', since);
begin
    return case
        when unit = 'year' then pg_extract('year', until) - pg_extract('year', since)
        when unit = 'quarter' then (pg_extract('year', until) - pg_extract('year', since)) * 4
            + pg_extract('quarter', until) - pg_extract('quarter', since)
        when unit = 'month' then months
        when unit = 'week'
            then (date_trunc('week', until)::date - date_trunc('week', since)::date) / 7
        when unit = 'day' then until::date - since::date
        when micros is not null then floor(pg_extract('epoch', until) * 1000000 / micros)
            - floor(pg_extract('epoch', since) * 1000000 / micros)
    end;
end $$;

create function pg_catalog.date_part(part text, at timestamp) returns double precision
language sql immutable strict as $$
    select floor(pg_extract(pg_standin.date_unit(part), at))::double precision
$$;
create function pg_catalog.date_part(part text, at timestamptz) returns double precision
language sql stable strict as $$
    select floor(pg_extract(pg_standin.date_unit(part), at))::double precision
$$;
create function pg_catalog.date_part(part text, at date) returns double precision
language sql immutable strict as $$ select date_part(part, at::timestamp) $$;

create function pg_catalog.extract(part text, at timestamp) returns bigint
language sql immutable strict as $$
    select floor(pg_extract(pg_standin.date_unit(part), at))::bigint
$$;
create function pg_catalog.extract(part text, at timestamptz) returns double precision
language sql stable strict as $$ select date_part(part, at) $$;
create function pg_catalog.extract(part text, at date) returns bigint
language sql immutable strict as $$ select "extract"(part, at::timestamp) $$;

create function pg_catalog.date_trunc(part text, at date) returns timestamp
language sql immutable strict as $$ select date_trunc(part, at::timestamp) $$;

create function pg_catalog.getdate() returns timestamp
language sql stable as $$ select date_trunc('second', statement_timestamp() at time zone 'UTC') $$;
create function pg_catalog.sysdate() returns timestamp
language sql stable as $$ select transaction_timestamp() at time zone 'UTC' $$;
create function pg_catalog.convert_timezone(source text, target text, at timestamp)
returns timestamp language sql stable strict as $$
    select at at time zone source at time zone target
$$;
create function pg_catalog.convert_timezone(target text, at timestamp) returns timestamp
language sql stable strict as $$ select convert_timezone('UTC', target, at) $$;
create function pg_catalog.convert_timezone(target text, at timestamptz) returns timestamp
language sql stable strict as $$ select at at time zone target $$;
create function pg_catalog.trunc(at timestamp) returns date
language sql immutable strict as $$ select at::date $$;
create function pg_catalog.last_day(at timestamp) returns date
language sql immutable strict as $$
    select (date_trunc('month', at) + interval '1 month' - interval '1 day')::date
$$;
create function pg_catalog.last_day(at date) returns date
language sql immutable strict as $$ select last_day(at::timestamp) $$;
create function pg_catalog.add_months(at timestamp, months integer) returns timestamp
language sql immutable strict as $$
    select case when at::date = last_day(at)
        then last_day(at + months * interval '1 month') + (at - date_trunc('day', at))
        else at + months * interval '1 month' end
$$;

-- Text -------------------------------------------------------------------------------------

create function pg_catalog.concat(a text, b text) returns text
language sql immutable strict as $$ select a || b $$;
create function pg_catalog.len(value text) returns integer
language sql immutable strict as $$ select length(value) $$;
create function pg_catalog.charindex(part text, value text) returns integer
language sql immutable strict as $$ select strpos(value, part) $$;
create function pg_catalog.regexp_replace(
    value text, pattern text, replacement text default '', start integer default 1
) returns text language sql immutable strict as $$
    select left(value, start - 1)
        || pg_regexp_replace(substr(value, start), pattern, replacement, 'g')
$$;
create function pg_catalog.regexp_substr(
    value text, pattern text, start integer default 1, occurrence integer default 1,
    flags text default ''
) returns text language sql immutable strict as $$
    select coalesce(pg_regexp_substr(value, pattern, start, occurrence,
                                     translate(flags, 'pe', '')), '')
$$;
create function pg_catalog.strtol(value text, base integer) returns bigint
language plpgsql immutable strict as $$
declare
    digits text := lower(trim(value));
    negative boolean := left(digits, 1) = '-';
    total numeric := 0;
    digit integer;
begin
    digits := ltrim(digits, '+-');
    if base = 16 and digits like '0x%' then
        digits := substr(digits, 3);
    end if;
    for i in 1..length(digits) loop
        digit := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(digits, i, 1)) - 1;
        if digit < 0 or digit >= base then
            raise 'The input % is not valid to be converted to base %', value, base
                using errcode = '22023';
        end if;
        total := total * base + digit;
    end loop;
    return case when negative then -total else total end;
end $$;
create function pg_catalog.sha2(value text, bits integer) returns text
language plpgsql immutable strict as $$
begin
    return case bits
        when 224 then encode(sha224(convert_to(value, 'UTF8')), 'hex')
        when 256 then encode(sha256(convert_to(value, 'UTF8')), 'hex')
        when 384 then encode(sha384(convert_to(value, 'UTF8')), 'hex')
        when 512 then encode(sha512(convert_to(value, 'UTF8')), 'hex')
    end;
end $$;
create function pg_catalog.to_varbyte(value text, format text) returns varbyte
language sql immutable strict as $$
    select case lower(format) when 'hex' then decode(value, 'hex')
        when 'base64' then decode(value, 'base64') else convert_to(value, 'UTF8') end
$$;
create function pg_catalog.from_varbyte(value varbyte, format text) returns text
language sql immutable strict as $$
    select case lower(format) when 'hex' then encode(value, 'hex')
        when 'base64' then encode(value, 'base64') else convert_from(value, 'UTF8') end
$$;

-- Numbers ----------------------------------------------------------------------------------

create function pg_catalog.round(value double precision, digits integer) returns double precision
language sql immutable strict as $$ select round(value::numeric, digits)::double precision $$;

-- Session ----------------------------------------------------------------------------------

create function pg_catalog.pg_last_copy_id() returns bigint language sql stable as $$
    select coalesce(nullif(current_setting('standin.last_copy_id', true), ''), '-1')::bigint
$$;
create function pg_catalog.pg_last_copy_count() returns bigint language sql stable as $$
    select coalesce(nullif(current_setting('standin.last_copy_count', true), ''), '0')::bigint
$$;
create function pg_catalog.current_user_id() returns integer language sql stable as $$
    select usesysid::integer from pg_user where usename = current_user
$$;
