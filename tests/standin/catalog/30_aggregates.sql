-- Aggregates that mean something else on Redshift, or exist only there.
update pg_proc set proname = 'pg_' || proname
where pronamespace = 'pg_catalog'::regnamespace and prokind = 'a'
  and (proname = 'avg' and proargtypes[0] in (20, 21, 23, 1700)
       or proname in ('stddev', 'stddev_samp', 'stddev_pop', 'variance', 'var_samp', 'var_pop')
          and proargtypes[0] in (20, 21, 23, 1700));

-- AVG of integers truncates and is a BIGINT.
create function pg_standin.avg_final(state numeric[]) returns bigint
language sql immutable as $$ select trunc(state[1] / nullif(state[2], 0))::bigint $$;
do $$
declare
    type text;
begin
    foreach type in array array['smallint', 'integer', 'bigint'] loop
        execute format('create function pg_standin.avg_step(state numeric[], value %s) '
            'returns numeric[] language sql immutable as ''select case when value is null '
            'then state else array[state[1] + value, state[2] + 1] end''', type);
        execute format('create aggregate pg_catalog.avg(%s) (sfunc = pg_standin.avg_step, '
            'stype = numeric[], initcond = ''{0,0}'', finalfunc = pg_standin.avg_final)', type);
    end loop;
end $$;

-- AVG of a decimal keeps the scale of its argument.
create function pg_standin.avg_decimal_step(state numeric[], value numeric) returns numeric[]
language sql immutable as $$
    select case when value is null then state
        else array[state[1] + value, state[2] + 1, greatest(state[3], scale(value))] end
$$;
create function pg_standin.avg_decimal_final(state numeric[]) returns numeric
language sql immutable as $$
    select trunc(state[1] / nullif(state[2], 0), state[3]::integer)
$$;
create aggregate pg_catalog.avg(numeric) (
    sfunc = pg_standin.avg_decimal_step, stype = numeric[], initcond = '{0,0,0}',
    finalfunc = pg_standin.avg_decimal_final
);

create aggregate pg_catalog.listagg(text, text) (
    sfunc = string_agg_transfn, stype = internal, finalfunc = string_agg_finalfn
);

-- MEDIAN and PERCENTILE_CONT, as plain aggregates so that they also work over windows. They
-- collect the values, the fraction first; integers count as decimals.
do $$
declare
    item record;
begin
    for item in select * from (values ('smallint', 'numeric'), ('integer', 'numeric'),
        ('bigint', 'numeric'), ('numeric', 'numeric'), ('double precision', 'double precision')
    ) as t (type, element) loop
        execute format('create function pg_standin.collect(state %2$s[], value %1$s) '
            'returns %2$s[] language sql immutable as ''select case when value is null '
            'then state else array_append(state, value::%2$s) end''', item.type, item.element);
        execute format('create function pg_standin.collect(state %2$s[], value %1$s, '
            'fraction numeric) returns %2$s[] language sql immutable as ''select case '
            'when value is null then state when state = ''''{}'''' then array[fraction::%2$s, '
            'value::%2$s] else array_append(state, value::%2$s) end''', item.type, item.element);
    end loop;
end $$;

create function pg_standin.interpolate(items numeric[], fraction numeric) returns numeric
language sql immutable as $$
    with sorted as (
        select array_agg(item order by item) as items, count(*) as n from unnest(items) as item
    ), place as (
        select items, 1 + fraction * (n - 1) as at from sorted where n > 0
    )
    select items[floor(at)] + (at - floor(at)) * (items[ceil(at)] - items[floor(at)]) from place
$$;
create function pg_standin.interpolate(items double precision[], fraction numeric)
returns double precision language sql immutable as $$
    with sorted as (
        select array_agg(item order by item) as items, count(*) as n from unnest(items) as item
    ), place as (
        select items, 1 + fraction * (n - 1) as at from sorted where n > 0
    )
    select items[floor(at)]
        + (at - floor(at))::double precision * (items[ceil(at)] - items[floor(at)])
    from place
$$;
create function pg_standin.median_final(items numeric[]) returns numeric
language sql immutable as $$ select pg_standin.interpolate(items, 0.5) $$;
create function pg_standin.median_final(items double precision[]) returns double precision
language sql immutable as $$ select pg_standin.interpolate(items, 0.5) $$;
create function pg_standin.percentile_final(items numeric[]) returns numeric
language sql immutable as $$ select pg_standin.interpolate(items[2:], items[1]) $$;
create function pg_standin.percentile_final(items double precision[]) returns double precision
language sql immutable as $$ select pg_standin.interpolate(items[2:], items[1]::numeric) $$;

do $$
declare
    item record;
begin
    for item in select * from (values ('smallint', 'numeric'), ('integer', 'numeric'),
        ('bigint', 'numeric'), ('numeric', 'numeric'), ('double precision', 'double precision')
    ) as t (type, element) loop
        execute format('create aggregate pg_catalog.median(%s) (sfunc = pg_standin.collect, '
            'stype = %s[], initcond = ''{}'', finalfunc = pg_standin.median_final)',
            item.type, item.element);
        execute format('create aggregate pg_standin.percentile_cont(%s, numeric) '
            '(sfunc = pg_standin.collect, stype = %s[], initcond = ''{}'', '
            'finalfunc = pg_standin.percentile_final)', item.type, item.element);
    end loop;
end $$;
