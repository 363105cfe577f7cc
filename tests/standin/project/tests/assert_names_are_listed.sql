select 1 as missing
where (select count(*) from (select listagg(station, ',') within group (order by station) as names
       from {{ ref("bound_view") }}) as listed where names = 'a,b') <> 1
