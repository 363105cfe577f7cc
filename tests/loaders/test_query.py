"""One statement that can only read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
from loading import Lab

from loaders.errors import UsageError
from loaders.warehouse.postgres import PostgresWarehouse


@pytest.fixture
def warehouse(lab: Lab) -> Iterator[PostgresWarehouse]:
    connection = lab.connect()
    connection.execute("create schema research_warehouse")
    connection.execute("create table research_warehouse.t as select generate_series(1, 3) as a")
    yield connection
    left = connection.fetch("select sum(a) from research_warehouse.t")
    connection.close()
    assert left == [(6,)]


def test_columns_and_rows(warehouse: PostgresWarehouse) -> None:
    with warehouse.query("select a, a % 2 = 1 as odd from t order by a") as result:
        assert result.columns == ("a", "odd")
        assert list(result.rows) == [(1, True), (2, False), (3, True)]


def test_columns_of_no_rows(warehouse: PostgresWarehouse) -> None:
    with warehouse.query("select a from t where false") as result:
        assert (result.columns, list(result.rows)) == (("a",), [])


def test_statements_other_than_select_that_read(warehouse: PostgresWarehouse) -> None:
    with warehouse.query("show server_encoding") as result:
        assert list(result.rows) == [("UTF8",)]


def test_rows_come_as_they_are_asked_for(warehouse: PostgresWarehouse) -> None:
    # As a whole this would take for ever; leaving it cancels it.
    with warehouse.query("select generate_series(1, 1000000000000)") as result:
        assert list(islice(result.rows, 2)) == [(1,), (2,)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("insert into t values (9)", "returns no rows"),
        ("insert into t values (9) returning a", "read-only transaction"),
        ("with gone as (delete from t returning *) select * from gone", "read-only transaction"),
        ("drop table t", "returns no rows"),
        ("create temp table u (a int); insert into t values (9)", "multiple commands"),
        ("commit; delete from t", "multiple commands"),
        ("set transaction read write", "returns no rows"),
        ("do $$ begin commit; delete from t; end $$", "returns no rows"),
        ("commit", "returns no rows"),
        ("selec 1", "syntax error"),
        ("select 1/0", "division by zero"),
    ],
)
def test_anything_else_fails(warehouse: PostgresWarehouse, sql: str, message: str) -> None:
    with pytest.raises(UsageError, match=message), warehouse.query(sql) as result:
        list(result.rows)


def test_an_error_after_the_first_rows_is_the_query_s(warehouse: PostgresWarehouse) -> None:
    late = "select 1 / (5000 - n) from generate_series(1, 5000) n"
    with pytest.raises(UsageError, match="division by zero"), warehouse.query(late) as result:
        list(result.rows)
