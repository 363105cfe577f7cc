"""What Redshift does where PostgreSQL does otherwise. Each case names its page of the AWS guide.

Pages stand below https://docs.aws.amazon.com/redshift/latest/dg/ (names as of 2026-11).
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from redshift_connector.core import Connection

from tests.standin.driver import execute, failure, rows, value
from tests.standin.server import StandIn

D = Decimal
VALUES = [
    # Numbers
    ("r_numeric_computations201", "select 7 / 2, -7 / 2", [3, -3]),
    ("r_AVG", "select avg(a), avg(n), avg(f) from golden", [1, D("1.66"), 1.25]),
    ("r_SUM", "select sum(a), sum(n) from golden", [5, D("5.00")]),
    ("r_STDDEV_functions", "select stddev(a) from golden", [0.5773502691896257]),
    ("r_MEDIAN", "select median(a), median(f) from golden", [D("2.0"), 1.25]),
    ("r_PERCENTILE_CONT",
     "select percentile_cont(0.25) within group (order by a desc) from golden", [D("2.0")]),
    ("r_ROUND", "select round(2.345::float8, 2), round(-2.5::decimal(3,1))", [2.35, D("-3")]),
    ("r_STRTOL", "select strtol('ff', 16), strtol('-101', 2), strtol('fffffffffffffff', 16)",
     [255, -5, 2**60 - 1]),
    # Dates
    ("r_DATEDIFF_function",
     "select datediff(year, '2008-12-31', '2009-01-01'), "
     "datediff(hour, '2009-01-01 08:30:00', '2009-01-01 10:00:00'), "
     "datediff(week, '2009-01-01', '2009-12-31'), datediff(qtr, '1998-07-01', current_date) > 100, "
     "datediff(day, '2013-01-02 00:00:00'::timestamp, '2013-01-01 23:59:59'::timestamp), "
     "datediff(minute, '2013-01-01 00:00:59', '2013-01-01 00:01:00')", [1, 2, 52, True, -1, 1]),
    ("r_DATEADD_function",
     "select dateadd(month, 1, '2008-01-31'), dateadd(mins, -30, '2013-01-01'::date)",
     [datetime(2008, 2, 29), datetime(2012, 12, 31, 23, 30)]),
    ("r_EXTRACT_function",
     "select extract(epoch from '2013-01-01 00:00:00.75'::timestamp), "
     "date_part(dow, '2013-01-06'::date)", [1356998400, 0.0]),
    ("r_DATE_TRUNC", "select date_trunc('week', '2013-01-06'::date)", [datetime(2012, 12, 31)]),
    ("CONVERT_TIMEZONE",
     "select convert_timezone('America/New_York', '2013-07-01 12:00:00'::timestamp), "
     "convert_timezone('Europe/Berlin', 'UTC', '2013-07-01 12:00:00'::timestamp)",
     [datetime(2013, 7, 1, 8), datetime(2013, 7, 1, 10)]),
    ("r_LAST_DAY", "select last_day('2012-02-03')", [date(2012, 2, 29)]),
    ("r_GETDATE", "select getdate() = date_trunc('second', getdate()), sysdate >= getdate()",
     [True, True]),
    # Text
    ("r_CONCAT", "select concat('a', null), 'a' || null", [None, None]),
    ("r_LEN", "select len('äb'), octet_length('äb')", [2, 3]),
    ("r_Character_types", "select 'ééé'::varchar(4), 'x'::char(3) || '|'", ["éé", "x|"]),
    ("REGEXP_REPLACE", "select regexp_replace('a.b.c', '\\\\.', '-')", ["a-b-c"]),
    ("REGEXP_SUBSTR", "select regexp_substr('abc', 'x'), regexp_substr('a12', '[0-9]+')",
     ["", "12"]),
    ("pattern-matching-conditions-posix", "select 'ABC' ~ '^A', 'abc' !~ 'B', 'aB' ilike 'AB'",
     [True, True, True]),
    ("r_NVL_function", "select nvl(null, 'x'), nvl2(null, 'a', 'b')", ["x", "b"]),
    ("r_MD5", "select md5('x')", ["9dd4e461268c8034f5c8564e155c67a6"]),
    ("r_LISTAGG", "select listagg(distinct a, '/') within group (order by a) from golden", ["1/2"]),
    ("r_TRY_CAST",
     "select try_cast('12' as int), try_cast('1_2' as int), try_cast('now' as timestamp), "
     "try_cast('2013-02-30' as date), try_cast('1.239' as decimal(5,2)), "
     "try_cast('0x1F' as bigint)", [12, None, None, None, D("1.24"), None]),
    ("r_Numeric_types201", "select 1.6::decimal, 1.5::decimal(5,2)", [D(2), D("1.50")]),
    # Order, aliases
    ("r_ORDER_BY_clause",
     "select min(v) from (select first_value(n) over (order by n desc rows unbounded preceding) v "
     "from (select 1 as n union all select null))", [None]),
    ("r_CASE_function",
     "select case when a = 1 then cast(n as decimal(10,4)) end, "
     "case a when 2 then n::decimal(6,1) when 3 then null end from golden where n = 1.00",
     [D("1.0000"), None]),
    ("r_SELECT_list", "select 1 + 1 as two, two * 2 as four, four + two", [2, 4, 6]),
    ("r_QUALIFY_clause",
     "with g as (select a, row_number() over (order by n) as r from golden qualify r = 1) "
     "select a from g", [1]),
    ("r_WF_LISTAGG",
     "select listagg(a, ',') within group (order by n desc) over (partition by 1) from golden "
     "limit 1", ["2,2,1"]),
    # SUPER
    ("query-super", "select doc.a.b[1], g.doc.s, doc.none.x from golden g limit 1",
     ["2.50", '"x"', None]),
    ("super-configurations", "select doc.Upper, doc.\"Upper\" from golden limit 1", [None, None]),
    ("limitations-super", "select 5::super::bool, 5.0::super::bool", [True, None]),
    ("super-dynamic-typing",
     "select count(*) from golden where doc.s = 'x' and doc.a.b[0] = 1 and doc.s <> 'y'", [3]),
    ("r_SUPER_type", "select doc.s::varchar, doc.a.b[1]::decimal(5,2), doc.s::int, doc.a::varchar "
     "from golden limit 1", ["x", D("2.50"), None, None]),
    ("r_SUPER_type", "select 'x'::super, json_typeof(array(1, 'a')), object('k', 1)",
     ['"x"', "array", '{"k":1}']),
    ("JSON_PARSE", "select json_serialize(json_parse('{\"a\" : [1, 2.50]}'))", ['{"a":[1,2.50]}']),
    ("JSON_SERIALIZE", "select json_serialize(doc.none) from golden limit 1", ["null"]),
    ("r_json_size", "select json_size(json_parse('[10001,10002,\"⬤\"]')), json_size(doc.none) "
     "from golden limit 1", [19, None]),
    ("JSON_EXTRACT_PATH_TEXT",
     "select json_extract_path_text('{\"a\":{\"b\":1}}', 'a', 'b'), "
     "json_extract_path_text('{}', 'a')", ["1", ""]),
]  # fmt: skip


@pytest.fixture(scope="module")
def golden(standin: StandIn) -> Connection:
    connection = standin.connect()
    connection.autocommit = True
    execute(
        connection,
        "drop table if exists golden",
        "create table golden (a integer, n decimal(5,2), f float8, doc super)",
        "insert into golden select a, n, f, json_parse(d) from (select 1 as a, 1.00::decimal(5,2) "
        'as n, 1.0::float8 as f, \'{"a": {"b": [1, 2.50]}, "s": "x", "Upper": true}\' as d '
        'union all select 2, 1.50, 1.5, \'{"s": "x", "a": {"b": [1, 2.50]}}\' '
        'union all select 2, 2.50, null, \'{"s": "x", "a": {"b": [1, 2.50]}}\')',
    )
    return connection


@pytest.mark.parametrize(("page", "sql", "expected"), VALUES, ids=[v[0] for v in VALUES])
def test_golden_value(golden: Connection, page: str, sql: str, expected: list[object]) -> None:
    assert rows(golden, sql) == [expected], page


def test_attribute_names_keep_their_case_when_asked(golden: Connection) -> None:
    """r_enable_case_sensitive_super_attribute: attributes then match as they are written."""
    sql = 'select doc.Upper, doc."Upper", doc.upper from golden where doc.a.b[0] = 1 and n = 1'
    assert rows(golden, sql) == [[None, None, None]]
    execute(golden, "set enable_case_sensitive_super_attribute to true")
    assert rows(golden, sql) == [["true", "true", None]]
    execute(golden, "reset enable_case_sensitive_super_attribute")
    assert rows(golden, sql) == [[None, None, None]]


def test_arrays_unnest_in_from(golden: Connection) -> None:
    """query-super: an alias ranges over an array; AT counts from 0; no array gives no row."""
    document = '{"id": 1, "items": [{"n": 1, "tags": ["p", "q"]}, {"n": 2}]}'
    execute(golden, f"create temporary table nested as select json_parse('{document}') as doc")
    assert rows(golden, "select i.n::int, ix from nested t, t.doc.items as i at ix order by 2") == [
        [1, 0], [2, 1],
    ]  # fmt: skip
    assert rows(golden, "select n.doc.id, tag from nested n, n.doc.items i, i.tags tag") == [
        ["1", '"p"'], ["1", '"q"'],
    ]  # fmt: skip
    assert rows(golden, "with c as (select doc from nested) select i.n from c, c.doc.items i "
                "where i.n = 2") == [["2"]]  # fmt: skip
    execute(golden, "drop table nested")


def test_varchar_counts_bytes(golden: Connection) -> None:
    """r_Character_types: an insert that is too long fails, trailing blanks excepted."""
    execute(golden, "create temporary table narrow (v varchar(4))",
            "insert into narrow values ('éé'), ('abcd  ')")  # fmt: skip
    assert rows(golden, "select v from narrow order by 1") == [["abcd"], ["éé"]]
    assert failure(golden, "insert into narrow values ('ééa')")["C"] == "22001"
    execute(golden, "drop table narrow")


def test_a_case_has_the_precision_of_its_branches(golden: Connection) -> None:
    """r_numeric_computations201: every decimal has a precision and a scale."""
    execute(golden, "create view cased as select case when a > 0 then n::decimal(10,4) else null "
            "end as d, case when a > 1 then case when a > 2 then cast('x' as varchar(7)) end "
            "else 'y'::varchar(7) end as v from golden")  # fmt: skip
    types = rows(golden, "select data_type from svv_redshift_columns where table_name = 'cased'")
    assert types == [["numeric(10,4)"], ["character varying(7)"]]
    execute(golden, "drop view cased")


def test_keys_are_not_enforced_but_not_null_is(golden: Connection) -> None:
    """t_Defining_constraints: keys inform the planner only."""
    execute(
        golden,
        "create temporary table keyed (id int primary key, u int unique, r int references golden)",
        "insert into keyed values (1, 1, 9), (1, 1, 9)",
    )
    assert value(golden, "select count(*) from keyed") == 2
    error = failure(golden, "insert into keyed values (null, 1, 1)")
    assert error["M"] == "Cannot insert a NULL value into column id"
    execute(golden, "drop table keyed")


def test_identity_steps_from_its_seed(golden: Connection) -> None:
    """r_CREATE_TABLE_NEW: IDENTITY(seed, step)."""
    execute(golden, "create temporary table counted_up (id bigint identity(10, 5), v int)",
            "insert into counted_up (v) values (1), (2)")  # fmt: skip
    assert rows(golden, "select id from counted_up order by 1") == [[10], [15]]
    execute(golden, "drop table counted_up")


def test_truncate_commits(standin: StandIn, golden: Connection) -> None:
    """r_TRUNCATE: it commits the transaction in which it runs."""
    execute(golden, "create table emptied as select 1 as a", "create table filled (a int)")
    with standin.connect() as connection:
        execute(connection, "insert into filled values (1)", "truncate emptied")
        connection.rollback()
    assert rows(golden, "select (select count(*) from emptied), (select count(*) from filled)"
                ) == [[0, 1]]  # fmt: skip
    execute(golden, "drop table emptied", "drop table filled")


def test_lock_blocks_readers(standin: StandIn, golden: Connection) -> None:
    """r_LOCK: an ACCESS EXCLUSIVE lock until the transaction ends."""
    with standin.connect() as first, standin.connect() as second:
        execute(first, "lock golden")
        execute(second, "set statement_timeout to 200")
        assert failure(second, "select count(*) from golden")["C"] == "57014"
        second.rollback()
        first.rollback()
        assert value(second, "select count(*) from golden") == 3


def test_temporary_tables_hide_permanent_ones_and_end_with_the_session(standin: StandIn) -> None:
    """r_CREATE_TABLE_NEW: a temporary table may have the name of a permanent one."""
    with standin.connect() as connection:
        execute(connection, "create temporary table golden as select 9 as only")
        assert rows(connection, "select * from golden") == [[9]]
        connection.commit()
    with standin.connect() as connection:
        assert value(connection, "select count(*) from golden") == 3


def test_merge_updates_and_inserts(golden: Connection) -> None:
    """r_MERGE: exactly one WHEN MATCHED and one WHEN NOT MATCHED; the target has no alias."""
    execute(golden, "create temporary table target as select 1 as k, 'old' as v",
            "create temporary table source as select 1 as k, 'new' as v union all select 2, 'x'",
            "merge into target using source s on target.k = s.k when matched then update set "
            "v = s.v when not matched then insert (k, v) values (s.k, s.v)")  # fmt: skip
    assert rows(golden, "select * from target order by k") == [[1, "new"], [2, "x"]]
    execute(golden, "merge into target using source on target.k = source.k when matched then "
            "delete when not matched then insert values (source.k, source.v)")  # fmt: skip
    assert rows(golden, "select * from target") == []
    execute(golden, "drop table target", "drop table source")


def test_a_materialized_view_is_as_old_as_its_refresh(golden: Connection) -> None:
    """materialized-view-create-sql-command, REFRESH MATERIALIZED VIEW."""
    execute(golden, "create table based (a int)",
            "create materialized view summed auto refresh no as select sum(a) as s from based",
            "insert into based values (1), (2)")  # fmt: skip
    assert rows(golden, "select s from summed") == [[None]]
    execute(golden, "refresh materialized view summed")
    assert rows(golden, "select s from summed") == [[3]]
    assert value(golden, "select autorefresh from svv_mv_info where name = 'summed'") == "f"
    assert failure(golden, "drop table based")["C"] == "2BP01"
    execute(golden, "drop materialized view summed", "drop table based")
    assert "does not exist" in failure(golden, "refresh materialized view summed")["M"]


def test_groups_roles_and_grants(standin: StandIn, golden: Connection) -> None:
    """r_GRANT: users, groups and roles are told apart."""
    execute(golden, "create user golden_user password 'Secret12'", "create group golden_group",
            "create role golden_role", "grant role golden_role to golden_user",
            "grant select on golden to golden_user, group golden_group, role golden_role"
            )  # fmt: skip
    assert rows(golden, "select identity_name, identity_type from svv_relation_privileges where "
                "relation_name = 'golden' and privilege_type = 'SELECT' and identity_name like "
                "'golden%' order by 1") == [
        ["golden_group", "group"], ["golden_role", "role"], ["golden_user", "user"],
    ]  # fmt: skip
    for wrong in ("grant golden_role to golden_user", "grant select on golden to golden_role",
                  "grant select on golden to role golden_user", "grant create user to golden_user",
                  "grant select on golden to role golden_role with grant option"):  # fmt: skip
        assert failure(golden, wrong)["C"] in ("0A000", "42704"), wrong
    with standin.connect(user="golden_user", password="Secret12") as connection:
        assert value(connection, "select count(*) from golden") == 3
        assert failure(connection, "delete from golden")["C"] == "42501"
    execute(golden, "revoke select on golden from golden_user, group golden_group, "
            "role golden_role", "drop user golden_user", "drop group golden_group",
            "drop role golden_role")  # fmt: skip


def test_plan_settings_are_the_sessions(golden: Connection) -> None:
    """r_query_group: a label of the session's queries."""
    execute(golden, "set query_group to 'nightly'")
    assert rows(golden, "show query_group") == [["nightly"]]
    assert value(golden, "select current_setting('query_group')") == "nightly"
    execute(golden, "reset query_group")
    assert rows(golden, "show query_group") == [["default"]]
    assert rows(golden, "show search_path") == [['"$user", public']]
    assert failure(golden, "set no_such_setting to 1")["C"] == "42704"
