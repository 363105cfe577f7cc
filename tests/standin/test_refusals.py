"""What Redshift does not have is refused by name; nothing falls through to PostgreSQL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redshift_connector.core import Connection

from tests.standin.driver import execute, failure
from tests.standin.lexer import lex, literal, render
from tests.standin.server import StandIn

REFUSED = [
    ("select array[1, 2]", "ARRAY"),
    ("select * from generate_series(1, 2), refused", "functions"),
    ("select * from refused, lateral (select 1) x", "LATERAL"),
    ("insert into refused values (1) on conflict do nothing", "ON CONFLICT"),
    ("insert into refused values (1) returning a", "RETURNING"),
    ("select distinct on (a) a from refused", "DISTINCT ON"),
    ("select count(*) filter (where a > 1) from refused", "FILTER"),
    ("select '{}'::jsonb", "type jsonb"),
    ("select cast(a as uuid) from refused", "type uuid"),
    ("select string_agg(a, ',') from refused", "function string_agg"),
    ("select pg_sleep(1)", "function pg_sleep"),
    ("select json_parse('{}') -> 'a'", "->"),
    ("select a from refused for update", "FOR UPDATE"),
    ("select first_value(a ignore nulls) over (order by a) from refused", "IGNORE NULLS"),
    ("select * from refused pivot (count(*) for a in (1, 2))", "PIVOT"),
    ("select a into other from refused", "SELECT INTO"),
    ("select a is distinct from 1 from refused", "DISTINCT FROM"),
    ("create index i on refused (a)", "CREATE INDEX"),
    ("create unlogged table x (a int)", "CREATE UNLOGGED"),
    ("create sequence s", "CREATE SEQUENCE"),
    ("create table x (a int check (a > 1))", "CHECK"),
    ("create table x (a serial)", "type serial"),
    ("create table x (a int[])", "type int[]"),
    ("create function f() returns int as $$ begin return 1; end $$ language plpgsql", "LANGUAGE"),
    ("savepoint s", "SAVEPOINT"),
    ("copy refused from stdin", "source or target other than S3"),
    ("do $$ begin end $$", "DO"),
    ("listen x", "LISTEN"),
    ("alter table refused set schema other", "SET"),
    ("alter table refused alter column a type bigint", "ALTER COLUMN TYPE"),
    ("alter table refused add column b int not null", "NOT NULL"),
    ("merge into refused t using refused s on t.a = s.a when matched then delete when not matched "
     "then insert values (1)", "alias"),
    ("merge into refused using refused s on refused.a = s.a when matched then delete", "MERGE"),
    ("merge into refused using (select 1 as a) s on refused.a = s.a when matched then delete "
     "when not matched then insert values (1)", "subquery"),
    ("select listagg(a, ',') from (select 1 as a)", "user created tables"),
    ("set cast_super_null_on_error to off", "SET cast_super_null_on_error"),
    ("set enable_case_sensitive_identifier to true", "SET enable_case_sensitive_identifier"),
    (f"create table {'x' * 64} (a int)", "a name of more than 63 bytes"),
    ("create view x as select * from refused with no schema binding and more", "syntax"),
]  # fmt: skip


@pytest.fixture(scope="module")
def connection(standin: StandIn) -> Connection:
    opened = standin.connect()
    opened.autocommit = True
    execute(opened, "drop table if exists refused", "create table refused (a int)")
    return opened


@pytest.mark.parametrize(("sql", "named"), REFUSED, ids=[r[1] for r in REFUSED])
def test_refused_by_name(connection: Connection, sql: str, named: str) -> None:
    error = failure(connection, sql)
    assert error["C"] == ("42601" if named == "syntax" else "0A000")
    assert named in error["M"]


def test_a_blank_is_no_number_to_try(connection: Connection) -> None:
    assert "blank" in failure(connection, "select try_cast(' ' as int)")["M"]


def test_vacuum_may_not_stand_in_a_transaction(standin: StandIn) -> None:
    with standin.connect() as inside:
        assert failure(inside, "vacuum refused")["C"] == "25001"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_literal_keeps_its_value(text: str) -> None:
    assert lex(literal(text).text)[0].value == text


@given(st.lists(st.sampled_from(
    ["select", "a", '"B c"', "'it''s; --'", "$tag$ ; $tag$", "$10", ")", "(", ",", "1.5e3", "::",
     "/* ; */", "-- x\n", "<=", ".", "[0]", "é", "\u200e"]
)))  # fmt: skip
def test_rendering_keeps_the_tokens(pieces: list[str]) -> None:
    tokens = lex(" ".join(pieces))
    again = lex(render(tokens))
    assert [(t.kind, t.text) for t in again] == [(t.kind, t.text) for t in tokens]
