"""One statement that can only read, on Redshift."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from loaders.errors import UsageError
from loaders.identifiers import Schemas
from loaders.warehouse.redshift import RedshiftWarehouse
from tests.standin.fixtures import Bucket
from tests.standin.server import StandIn


@pytest.fixture
def warehouse(standin: StandIn) -> Iterator[RedshiftWarehouse]:
    """Give a connection to a warehouse with one table, which must stay as it is."""
    schemas = Schemas(f"t{uuid.uuid4().hex[:12]}")
    connection = {
        "host": standin.host,
        "port": standin.port,
        "database": standin.database,
        "user": standin.user,
        "password": standin.password,
    }
    made = RedshiftWarehouse(connection, schemas)
    made.execute(f"create schema {schemas.target}")
    made.execute(f"create table {schemas.target}.t as select 1 as a")
    yield made
    assert made.fetch(f"select a from {schemas.target}.t") == [(1,)]
    tables = f"select count(*) from svv_tables where table_schema = '{schemas.target}'"
    assert made.fetch(tables) == [(1,)]
    made.close()


@pytest.mark.parametrize(
    "sql",
    [
        "select a from t",
        "-- a comment\n /* another */ (select a from t)",
        "with x as (select a from t) select a from x",
    ],
)
def test_statements_that_read(warehouse: RedshiftWarehouse, sql: str) -> None:
    with warehouse.query(sql) as result:
        assert list(result.rows) == [(1,)]


@pytest.mark.parametrize(
    "sql",
    [
        "delete from t",
        "insert into t values (2)",
        "truncate t",
        "drop table t",
        "commit",
        "end",
        "begin",
        "set query_group to 'x'",
        "select 1; delete from t",
        "commit; delete from t",
        "select a into other from t",
        "create table other (a int)",
        "/* select */ delete from t",
        "-- select\ndelete from t",
        "/* /* */ select */ truncate t",
        "vacuum",
        "copy t from 's3://x/y' iam_role default format csv",
        "grant select on t to public",
    ],
)
def test_anything_else_fails(warehouse: RedshiftWarehouse, sql: str) -> None:
    with pytest.raises(UsageError), warehouse.query(sql) as result:
        list(result.rows)


def test_nothing_is_unloaded(warehouse: RedshiftWarehouse, bucket: Bucket) -> None:
    """A read-only transaction does not keep UNLOAD from writing to S3."""
    unload = f"unload ('select 1') to 's3://{bucket.name}/x' iam_role default format csv"
    with pytest.raises(UsageError, match="one statement that reads"), warehouse.query(unload):
        pass
    assert bucket.keys() == []


def test_the_transaction_itself_is_read_only(warehouse: RedshiftWarehouse) -> None:
    """For what may hide behind a SELECT."""
    warehouse.execute("begin read only")
    with pytest.raises(Exception, match="read-only transaction"):
        warehouse.execute(f"delete from {warehouse.schemas.target}.t")
    warehouse.execute("rollback")
