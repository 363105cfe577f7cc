"""`warehouse query` on the embedded server: nothing that only its superuser may do is in reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from loaders.embedded.postgres import READER, EmbeddedPostgres
from loaders.errors import UsageError
from loaders.identifiers import Schemas
from loaders.warehouse.postgres import PostgresWarehouse


@pytest.fixture
def reader(database: dict[str, Any], postgres: EmbeddedPostgres) -> Iterator[PostgresWarehouse]:
    """Give the connection of `query`; afterwards nothing may have changed."""
    state = """
        select (select array_agg(a) from research_warehouse.t),
            (select last_value from research_warehouse.numbers),
            (select count(*) from pg_largeobject_metadata),
            (select count(*) from pg_class), (select count(*) from pg_roles)
    """
    with psycopg.connect(**database, autocommit=True) as owner:
        owner.execute("create schema research_warehouse")
        owner.execute("create table research_warehouse.t as select 1 as a")
        owner.execute("create sequence research_warehouse.numbers")
        owner.execute(
            "create function research_warehouse.remove() returns int language sql "
            "as 'delete from research_warehouse.t returning a'"
        )
        before = owner.execute(state).fetchall()
        warehouse = PostgresWarehouse(database | postgres.reader, Schemas())
        yield warehouse
        warehouse.close()
        assert owner.execute(state).fetchall() == before  # and its session is still alive


def ask(reader: PostgresWarehouse, sql: str) -> list[tuple[Any, ...]]:
    with reader.query(sql) as result:
        return list(result.rows)


def test_all_can_be_read(reader: PostgresWarehouse) -> None:
    assert ask(reader, "select a, session_user::text from t") == [(1, READER)]


@pytest.mark.parametrize(
    "sql",
    [
        "select nextval('numbers')",
        "select setval('numbers', 9)",
        "select lo_create(0)",
        "select lo_import('/etc/passwd')",
        "select pg_read_file('/etc/passwd')",
        "select pg_ls_dir('/')",
        "select pg_reload_conf()",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename <> session_user",
        "select pg_cancel_backend(pid) from pg_stat_activity where usename <> session_user",
        "select remove()",
        "select set_config('role', 'warehouse_admin', false)",
        "select set_config('session_authorization', 'warehouse_admin', false)",
        "select set_config('transaction_read_only', 'off', true), remove()",
        "select query_to_xml('select pg_read_file(''/etc/passwd'')', true, true, '')",
        "select set_config('role', 'none', false), lo_create(0)",
        "select * into mine from t",
        "copy t to program 'true'",
        "copy (select 1) to '/tmp/x'",
        "copy t from program 'echo 1'",
        "explain analyze delete from t",
        "explain (analyze) create table mine as select 1",
        "do $$ begin perform lo_create(0); end $$",
        "set role warehouse_admin",
        "reset role",
        "create role mine superuser",
        "alter role warehouse_reader superuser",
        "grant pg_write_all_data to warehouse_reader",
        "prepare p as delete from t",
        "select 1; select 2",
        "lock table t",
        "refresh materialized view t",
        "call remove()",
        "vacuum t",
        "load 'x'",
    ],
)
def test_whatever_else_is_asked_fails(reader: PostgresWarehouse, sql: str) -> None:
    with pytest.raises(UsageError):
        ask(reader, sql)
    assert ask(reader, "select a from t") == [(1,)]
