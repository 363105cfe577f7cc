"""Amazon Redshift: a session, what setup creates in it, and queries."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import closing, contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import redshift_connector
from redshift_connector import error as driver

from loaders import ledger
from loaders.contracts import Column, Contract
from loaders.errors import UsageError, WarehouseError
from loaders.identifiers import Schemas, TableName, quote_identifier
from loaders.staging.objects import Staging
from loaders.warehouse.base import (
    ExistingColumn,
    LeftOut,
    NotCancelledError,
    QueryResult,
    Warehouse,
)
from loaders.warehouse.redshift_errors import RefusedError, translated
from loaders.warehouse.redshift_work import WORK, remove_work
from loaders.warehouse.types import from_redshift

if TYPE_CHECKING:
    from loaders.warehouse.arrow_rows import Batches

CASE_OF_NAMES = "enable_case_sensitive_super_attribute"
ROWS_PER_FETCH = 500
CANCELLATIONS = 12  # at most so many, each followed by as many seconds for the statement to end
SECONDS_PER_CANCELLATION = 5.0
# A silent loss of the connection is noticed within a minute, not after the system's two hours.
KEEPALIVES: Mapping[str, Any] = {
    "tcp_keepalive_idle": 30,
    "tcp_keepalive_interval": 10,
    "tcp_keepalive_count": 3,
}
_CAPITALS = re.compile("[a-z_]*[A-Z][A-Za-z0-9_]*")  # names that need no quotes, with a capital
# What `query` takes: such a statement, after brackets and comments that hold no other comment.
_READING = re.compile(r"(?is)(\s|\(|--[^\n]*\n|/\*(?:(?!/\*).)*?\*/)*(select|with|show|explain)\b")


class RedshiftSession(Warehouse):
    """A connection to Redshift; `connection` has redshift-connector's parameters."""

    now = "getdate()"
    to_hex = "from_varbyte({}, 'hex')"
    from_hex = "to_varbyte({}, 'hex')"

    def __init__(self, connection: Mapping[str, Any], schemas: Schemas) -> None:
        self.schemas = schemas
        self._parameters = connection
        with translated():
            self._connection = redshift_connector.connect(
                **KEEPALIVES, **connection, application_name="warehouse"
            )
        self._connection.autocommit = True
        self.execute("set timezone to 'UTC'")  # getdate() is in the session's
        # Otherwise navigation folds names, and finds nothing at `Item`.
        self.execute(f"set {CASE_OF_NAMES} to true")

    def document_text(self, column: str, place: str) -> str:
        """See Database.

        Capitals count in names without quotes; AWS does not say so of those with quotes.
        """
        names = [n if _CAPITALS.fullmatch(n) else quote_identifier(n) for n in place.split(".")]
        return f"cast({'.'.join([column, *names])} as varchar(65535))"

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """See Database."""
        with translated(), self._connection.cursor() as cursor:
            cursor.execute(sql, list(parameters) or None)
            return [tuple(row) for row in cursor.fetchall()]

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """See Database."""
        with translated(), self._connection.cursor() as cursor:
            cursor.execute(sql, list(parameters) or None)
            return int(cursor.rowcount)

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """See Database. One after the other: a row may depend on the one before (`new_id`)."""
        for row in rows:
            self.execute(sql, row)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See Database."""
        self.execute("begin")
        try:
            yield
        except BaseException:
            try:
                self.execute("rollback")
            except WarehouseError:
                self.close()  # what it would do next would be part of this transaction
            raise
        self.execute("commit")

    def new_id(self, of: Literal["batch_id", "event_id"]) -> int:
        """See Database. Only under the publish lock: Redshift has no sequences."""
        table = self.schemas.ledger({"batch_id": "batches", "event_id": "events"}[of]).sql
        return int(self.fetch(f"select coalesce(max({of}), 0) + 1 from {table}")[0][0])  # noqa: S608

    @contextmanager
    def setup_transaction(self) -> Iterator[None]:
        """See Warehouse. Concurrent DDL on one name fails on Redshift; repeat it then."""
        with self.transaction():
            yield

    def ledger_ddl(self) -> list[str]:
        """See Warehouse."""
        return ledger.create_tables(self.schemas, varbyte="varbyte(65535)")

    def role(self, name: str) -> str:
        """See Warehouse."""
        return f"role {quote_identifier(name)}"

    def known_roles(self, names: Sequence[str]) -> tuple[set[str], set[tuple[str, str]]]:
        """See Warehouse. Others than superusers see few memberships; granting again is harmless."""
        roles = {str(name) for (name,) in self.fetch("select role_name from svv_roles")}
        found = self.fetch("select granted_role_name, role_name from svv_role_grants")
        members = {(str(of), str(to)) for of, to in found}
        return roles & set(names), {pair for pair in members if set(pair) <= set(names)}

    def builder_settings(self, roles: Sequence[str]) -> list[str]:
        """See Warehouse. Settings are a user's: dbt sets none, and a role has none.

        Others than superusers see only their own memberships.
        """
        found = self.fetch("select user_name, role_name from svv_user_grants order by user_name")
        users = {str(user): None for user, role in found if role in roles}
        return [f"alter user {quote_identifier(u)} set {CASE_OF_NAMES} to true" for u in users]

    def execute_allowed(self, statements: Iterable[str]) -> list[LeftOut]:
        """See Warehouse."""
        left_out = []
        for sql in statements:
            try:
                self.execute(sql)
            except (RefusedError, UsageError) as error:
                left_out.append(LeftOut(sql, str(error)))
        return left_out

    def _raw(self, contract: Contract) -> TableName:
        return self.schemas.raw(contract.source, contract.table)

    def raw_columns(self, contract: Contract) -> list[ExistingColumn]:
        """See Warehouse."""
        raw = self._raw(contract)
        rows = self.fetch(
            "select column_name, data_type, character_maximum_length, numeric_precision, "
            "numeric_scale from svv_columns where table_schema = %s and table_name = %s "
            "order by ordinal_position",
            (raw.schema, raw.name),
        )
        return [ExistingColumn(str(name), from_redshift(*kind)) for name, *kind in rows]

    def create_raw(self, contract: Contract) -> list[str]:
        """See Warehouse. Builds read new batches only, so rows are sorted by batch."""
        raw = self._raw(contract)
        columns = [definition(column) for column in contract.columns] + [
            "_batch_id bigint not null",
            "_loaded_at timestamp not null",
        ]
        return [
            f"create schema if not exists {quote_identifier(raw.schema)}",
            f"create table {raw.sql} ({', '.join(columns)}) diststyle even sortkey (_batch_id)",
        ]

    def add_column(self, contract: Contract, column: Column) -> str:
        """See Warehouse."""
        return f"alter table {self._raw(contract).sql} add column {definition(column)}"

    def change_type(self, contract: Contract, column: Column, existing: ExistingColumn) -> str:
        """See Warehouse. Redshift can only widen a varchar in place."""
        name = quote_identifier(column.name)
        return f"alter table {self._raw(contract).sql} alter column {name} type {column.type}"

    @contextmanager
    def query(self, sql: str) -> Iterator[QueryResult]:
        """See Warehouse. The driver reads the whole answer before its first row."""
        # In a read-only transaction UNLOAD still writes to S3, and COMMIT ends it.
        if not _READING.match(sql):
            raise UsageError("`query` is for one statement that reads: SELECT, WITH, SHOW, EXPLAIN")
        with self._answer(sql) as cursor:
            if cursor.description is None:
                raise UsageError("the statement returns no rows: `query` is for one that reads")
            names = tuple(_text(column[0]) for column in cursor.description)
            yield QueryResult(names, _stream(cursor))

    @contextmanager
    def batches(
        self, sql: str, limit: int | None, staging: Callable[[], Staging]
    ) -> Iterator[Batches]:
        """See Warehouse. The answer comes by way of the bucket: UNLOAD, then its objects."""
        from loaders.warehouse.arrow_rows import AnswerColumn, in_batches
        from loaders.warehouse.redshift_unload import no_rows_of, unload_statement, unloaded

        reading = _READING.match(sql)
        if not reading or reading[2].lower() not in ("select", "with"):
            raise UsageError("a file is for one statement that reads: SELECT or WITH")
        bucket = staging()
        work = f"{bucket.root}{WORK}query-{uuid4().hex}/"
        try:
            with self._answer(unload_statement(sql, f"s3://{bucket.bucket}/{work}", limit)):
                pass
            answer = unloaded(bucket, work)
            if answer is None:  # no row, and so no object that says the types
                with self._answer(no_rows_of(sql)) as cursor:
                    columns = [AnswerColumn(_text(c[0]), c[1]) for c in cursor.description]
                answer = in_batches(columns, (), None)
            yield answer
        finally:
            remove_work(bucket, work)

    @contextmanager
    def _answer(self, sql: str) -> Iterator[Any]:
        """Yield a cursor that has run a statement in a read-only transaction."""
        session = int(self.fetch("select pg_backend_pid()")[0][0])
        try:
            with translated(), self._connection.cursor() as cursor:
                cursor.execute(
                    f"set search_path to {quote_identifier(self.schemas.target)}, public"
                )
                cursor.execute("begin read only")
                cursor.paramstyle = "numeric"  # % is an operator here, not a parameter
                self._run(cursor, sql, session)
                yield cursor
        except RefusedError as error:
            raise UsageError(f"the query failed: {error}") from None
        finally:
            with suppress(WarehouseError):
                self.execute("rollback")

    def _run(self, cursor: Any, sql: str, session: int) -> None:
        """Run a statement; an interrupt cancels it and waits for its end: UNLOAD writes till then.

        In a thread: what interrupted the driver, too, would leave it within an answer, and the end
        of the statement is the end of its answer. Raises NotCancelledError.
        """
        running: Future[None] = Future()

        def run() -> None:
            try:
                cursor.execute(sql)
            except BaseException as error:  # whatever it is, it is the caller's
                running.set_exception(error)
            else:
                running.set_result(None)

        try:
            Thread(target=run, daemon=True).start()
            running.result()
        except KeyboardInterrupt:
            with suppress(WarehouseError, KeyboardInterrupt):  # a second one: no more patience
                self._cancel(session, running)
            if not running.done():
                # Ends the thread's wait, and makes what else is tried on the connection fail.
                with suppress(OSError):
                    self._connection._usock.shutdown(socket.SHUT_RDWR)
                raise NotCancelledError(session) from None
            raise

    def _cancel(self, session: int, running: Future[None]) -> None:
        """Cancel what the session runs, from another one, until it has ended.

        Again, because it may not have begun when it was cancelled first.
        """
        with closing(type(self)(self._parameters, self.schemas)) as other:
            for _ in range(CANCELLATIONS):
                other.fetch("select pg_cancel_backend(%s)", (session,))
                if wait((running,), SECONDS_PER_CANCELLATION).done:
                    return

    def close(self) -> None:
        """See Warehouse."""
        with suppress(driver.Error, OSError):
            self._connection.close()


def _stream(cursor: Any) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(ROWS_PER_FETCH):
        yield from (tuple(row) for row in rows)


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def definition(column: Column) -> str:
    """Return a column as a CREATE TABLE has it."""
    return f"{quote_identifier(column.name)} {column.type.redshift}"
