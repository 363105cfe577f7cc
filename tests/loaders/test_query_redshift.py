"""One statement that can only read, on Redshift."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from threading import Timer

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.errors import UsageError
from loaders.identifiers import Schemas
from loaders.query_files import write_file
from loaders.staging.objects import Staging
from loaders.warehouse import redshift_session
from loaders.warehouse.base import NotCancelledError
from loaders.warehouse.redshift import RedshiftWarehouse
from loaders.warehouse.redshift_unload import unload_statement
from tests.standin.faults import Faults
from tests.standin.fixtures import Bucket
from tests.standin.server import StandIn


def connect(standin: StandIn, schemas: Schemas) -> RedshiftWarehouse:
    connection = {
        "host": standin.host,
        "port": standin.port,
        "database": standin.database,
        "user": standin.user,
        "password": standin.password,
    }
    return RedshiftWarehouse(connection, schemas)


@pytest.fixture
def warehouse(standin: StandIn) -> Iterator[RedshiftWarehouse]:
    """Give a connection to a warehouse with one table, which must stay as it is."""
    schemas = Schemas(f"t{uuid.uuid4().hex[:12]}")
    made = connect(standin, schemas)
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


def write(
    warehouse: RedshiftWarehouse, bucket: Bucket, sql: str, to: Path, limit: int | None = None
) -> int:
    staging = Staging(bucket.client, bucket.name, "prefix/")
    with warehouse.batches(sql, limit, lambda: staging) as answer:
        assert all(key.startswith("prefix/_warehouse/query-") for key in bucket.keys(""))
        rows = write_file(answer, to)
    assert bucket.keys() == []  # what went by way of the bucket is gone
    return rows


MANY = """
    with digits as (
        select 0 as d union all select 1 union all select 2 union all select 3 union all select 4
        union all select 5 union all select 6 union all select 7 union all select 8 union all
        select 9
    )
    select a.d * 10 + b.d as n from digits as a cross join digits as b order by n desc
"""


def test_a_large_answer_comes_by_way_of_the_bucket(
    warehouse: RedshiftWarehouse, bucket: Bucket, tmp_path: Path
) -> None:
    sql = r"""
        select a, cast(1.5 as decimal(10, 4)) as measured, 'it''s a \\ ' as text,
            timestamp '0001-01-01 00:00:00' as since, cast(null as bigint) as nothing
        from t; """
    assert write(warehouse, bucket, sql, tmp_path / "x.parquet") == 1
    table = pq.read_table(tmp_path / "x.parquet")
    assert table.schema.types == [
        pa.int32(), pa.decimal128(10, 4), pa.string(), pa.timestamp("us"), pa.int64(),
    ]  # fmt: skip
    (row,) = table.to_pylist()
    since = datetime(1, 1, 1)
    assert list(row.values()) == [1, Decimal("1.5"), "it's a \\ ", since, None]
    with warehouse.query(sql) as result:
        assert list(result.rows) == [tuple(row.values())]


def test_a_file_has_the_order_of_the_query(
    warehouse: RedshiftWarehouse, bucket: Bucket, tmp_path: Path
) -> None:
    assert write(warehouse, bucket, MANY, tmp_path / "x.csv") == 100
    assert (tmp_path / "x.csv").read_text().split() == ["n", *map(str, range(99, -1, -1))]


@pytest.mark.parametrize(
    ("sql", "limit", "rows"),
    [
        (MANY, 7, 7),
        (f"{MANY} limit 5", None, 5),
        (f"{MANY} limit 5;", 7, 5),
        (f"{MANY} limit 5 offset 98", None, 2),
        ("select a from t -- limit 0", None, 1),
    ],
)
def test_limits(
    warehouse: RedshiftWarehouse,
    bucket: Bucket,
    tmp_path: Path,
    sql: str,
    limit: int | None,
    rows: int,
) -> None:
    assert write(warehouse, bucket, sql, tmp_path / "x.csv", limit) == rows


def test_the_limit_stands_behind_the_querys_own_order() -> None:
    """An outer limit need not heed an inner order."""
    sql = unload_statement("select a from t order by a -- the last", "s3://b/p/", 3)
    assert "(\nselect a from t order by a -- the last\nlimit 3\n) as asked" in sql


def test_an_answer_without_rows_has_its_columns(
    warehouse: RedshiftWarehouse, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where UNLOAD writes no object for it."""
    none = "select a, 'x' as b from t where a > 1;"
    assert write(warehouse, bucket, none, tmp_path / "x.parquet") == 0
    assert pq.read_schema(tmp_path / "x.parquet").names == ["a", "b"]
    monkeypatch.setattr("loaders.warehouse.redshift_unload.unloaded", lambda *_: None)
    assert write(warehouse, bucket, none, tmp_path / "y.parquet") == 0
    assert pq.read_schema(tmp_path / "y.parquet").types == [pa.int32(), pa.string()]


@pytest.mark.parametrize(
    "sql",
    ["show search_path", "delete from t", "select 1; delete from t", "select a into u from t"],
)
def test_no_file_of_anything_else(
    warehouse: RedshiftWarehouse, bucket: Bucket, tmp_path: Path, sql: str
) -> None:
    with pytest.raises(UsageError):
        write(warehouse, bucket, sql, tmp_path / "x.csv")
    assert list(tmp_path.iterdir()) == []


def test_only_a_role_authorizes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_COPY_ROLE", "arn:aws:iam::1:role/r")
    monkeypatch.setenv("WAREHOUSE_COPY_REGION", "eu-west-1")
    assert unload_statement("select 1", "s3://b/p/") == (
        "unload ('select 1') to 's3://b/p/' iam_role 'arn:aws:iam::1:role/r' format parquet "
        "parallel off region 'eu-west-1'"
    )


@contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Interrupt the block once, as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("unloading", [False, True])
def test_an_interrupt_cancels_the_statement(
    warehouse: RedshiftWarehouse, standin: StandIn, bucket: Bucket, tmp_path: Path, unloading: bool
) -> None:
    """It waits for an answer then: the statement is cancelled from another session."""
    many = f"{warehouse.schemas.target}.many"
    warehouse.execute(f"create table {many} as {MANY}")
    endless = "select count(*) as n from many a, many b, many c, many d, many e, many f"
    other = connect(standin, warehouse.schemas)

    def ask() -> None:
        if unloading:
            write(other, bucket, endless, tmp_path / "x.csv")
        with other.query(endless):
            pass

    with pytest.raises(KeyboardInterrupt), interrupted_after(1):
        ask()
    active = "from pg_stat_activity where state = 'active' and query ~ 'many [f]'"
    assert standin.admin(f"select count(*) {active}") == [["0"]]
    with other.query("select a from t") as result:  # the session is of use
        assert list(result.rows) == [(1,)]
    other.close()
    warehouse.execute(f"drop table {many}")
    assert (bucket.keys(), list(tmp_path.iterdir())) == ([], [])


def test_what_an_unload_writes_after_its_cancellation_is_deleted(
    warehouse: RedshiftWarehouse, faults: Faults, bucket: Bucket, tmp_path: Path
) -> None:
    """It does not heed the cancellation: it writes its part, later, and ends."""
    hold = faults.hold("^unload")
    release = Timer(2, hold.release)
    release.start()
    with pytest.raises(KeyboardInterrupt), interrupted_after(1):
        write(warehouse, bucket, "select a from t", tmp_path / "x.csv")
    release.join()
    time.sleep(0.5)  # time for a part that nobody waited for
    assert (bucket.keys(), list(tmp_path.iterdir())) == ([], [])


def test_a_statement_that_does_not_end_is_said_to_run_still(
    warehouse: RedshiftWarehouse,
    standin: StandIn,
    faults: Faults,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redshift_session, "CANCELLATIONS", 2)
    monkeypatch.setattr(redshift_session, "SECONDS_PER_CANCELLATION", 0.1)
    other = connect(standin, warehouse.schemas)
    hold = faults.hold("^select a from t")
    with (
        pytest.raises(NotCancelledError, match="may still run in the server's session"),
        interrupted_after(1),
        other.query("select a from t"),
    ):
        pass
    hold.release()
    other.close()
