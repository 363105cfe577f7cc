"""PostgreSQL: connections, DDL of raw tables, and COPY of a batch with its ledger rows."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any, Literal, cast

import psycopg
from psycopg import errors

from loaders import ledger
from loaders.contracts import Column, Contract
from loaders.errors import Transient, UsageError, WarehouseError, without_values
from loaders.formats.faults import FileRefused
from loaders.formats.parquet_form import ParquetForm
from loaders.formats.scanners import Scanner, scanner_of
from loaders.identifiers import Schemas, TableName, quote_identifier, quote_literal
from loaders.staging.batches import (
    Batch,
    BatchLimits,
    BatchOutcome,
    FileOutcome,
    PlannedFile,
)
from loaders.staging.objects import MovedError, Staging
from loaders.warehouse.base import (
    ExistingColumn,
    LeftOut,
    NotCancelledError,
    OnProgress,
    Progress,
    QueryResult,
    Warehouse,
)
from loaders.warehouse.database import ClaimedError
from loaders.warehouse.outcomes import (
    NotWholeError,
    check_whole,
    guarded,
    refused,
    refused_by_scanner,
    scanned,
)
from loaders.warehouse.types import from_postgres

if TYPE_CHECKING:
    from loaders.warehouse.arrow_rows import Batches

KEEPALIVES = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10}
# The same for the server's side: what a vanished client has locked is free within a minute.
SERVER_KEEPALIVES = (
    "set tcp_keepalives_idle = 30; set tcp_keepalives_interval = 10; "
    "set tcp_keepalives_count = 3; set tcp_user_timeout = 60000"
)
CONNECT_SECONDS = 10
ROWS_PER_FETCH = 500
# One setup at a time, in any database of the server: a number of our own for the lock.
SETUP_LOCK = 0x7265_7365_6172_6368
BATCH_SETTING = "warehouse.batch_id"
# Functions: the defaults of what a load adds to each row. Neither is immutable; declared so, it is
# evaluated once a COPY and not again for each row, which was a seventh of the server's work.
LOAD_DEFAULTS = {
    "loading_batch_id": ("bigint", f"current_setting('{BATCH_SETTING}')::bigint"),
    "loading_since": ("timestamp", "now() at time zone 'utc'"),
}

_OF_DATA = "22"  # the class of SQLSTATEs
# Of an error's context; behind it stands the value.
_PLACE = re.compile(r"COPY \w+, line \d+(?:, column \w+)?")
_NOT_GRANTED = ("01006", "01007")  # of privileges in a GRANT: some, or none
_LOGIN_FAILED = ("authentication failed", "does not exist", "no password supplied", "pg_hba.conf")


class PostgresWarehouse(Warehouse):
    """A connection to PostgreSQL; `connection` has psycopg's (libpq's) parameters."""

    # Half a second of work: large enough to hide a transaction's cost, small enough to share.
    limits = BatchLimits(files=64, bytes=4 * 1024 * 1024)
    sequences = ("batch_id", "event_id")
    functions = tuple(LOAD_DEFAULTS)
    now = "(now() at time zone 'utc')"
    to_hex = "encode({}, 'hex')"
    from_hex = "decode({}, 'hex')"

    def __init__(self, connection: Mapping[str, Any], schemas: Schemas) -> None:
        self.schemas = schemas
        settings = {**KEEPALIVES, "connect_timeout": CONNECT_SECONDS, **connection}
        try:
            self._connection = psycopg.connect(
                **settings, autocommit=True, application_name="warehouse"
            )
        except psycopg.OperationalError as error:
            # libpq gives no SQLSTATE here, and its text never holds the password.
            kind = UsageError if any(t in str(error) for t in _LOGIN_FAILED) else Transient
            raise kind(f"PostgreSQL: {error}") from None
        self._connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        self.execute(SERVER_KEEPALIVES)

    def document_text(self, column: str, place: str) -> str:
        """See Database."""
        names = ",".join(f'"{name}"' for name in place.split("."))  # NULL is a name, too
        found = f"{column} #> {quote_literal('{' + names + '}')}"
        scalars = "('string', 'number', 'boolean')"
        return f"case when jsonb_typeof({found}) in {scalars} then ({found}) #>> '{{}}' end"

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """See Database."""
        with _translated():
            return self._connection.execute(sql.encode(), parameters or None).fetchall()

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """See Database."""
        with _translated():
            return self._connection.execute(sql.encode(), parameters or None).rowcount

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """See Database."""
        parameters = list(rows)  # its iteration may use this connection, before the statement
        if parameters:
            with _translated(), self._connection.cursor() as cursor:
                cursor.executemany(sql.encode(), parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See Database."""
        with _translated(), self._connection.transaction():
            yield

    def new_id(self, of: Literal["batch_id", "event_id"]) -> int:
        """See Database."""
        return int(self.fetch("select nextval(%s)", (self.schemas.ledger(of).sql,))[0][0])

    @contextmanager
    def setup_transaction(self) -> Iterator[None]:
        """See Warehouse."""
        with self.transaction():
            self.execute("select pg_advisory_xact_lock(%s)", (SETUP_LOCK,))
            yield

    def ledger_ddl(self) -> list[str]:
        """See Warehouse."""
        sequences = [
            f"create sequence if not exists {self.schemas.ledger(of).sql}" for of in self.sequences
        ]
        defaults = [
            f"create function {self.schemas.ledger(name).sql}() returns {kind} "
            f"language sql immutable as {quote_literal(f'select {value}')}"
            for name, (kind, value) in LOAD_DEFAULTS.items()
            if self.fetch("select to_regproc(%s) is null", (self.schemas.ledger(name).sql,))[0][0]
        ]
        return ledger.create_tables(self.schemas, varbyte="bytea") + sequences + defaults

    def role(self, name: str) -> str:
        """See Warehouse."""
        return quote_identifier(name)

    def known_roles(self, names: Sequence[str]) -> tuple[set[str], set[tuple[str, str]]]:
        """See Warehouse."""
        roles = self.fetch("select rolname from pg_roles where rolname = any(%s)", (list(names),))
        members = self.fetch(
            "select r.rolname, m.rolname from pg_auth_members a "
            "join pg_roles r on r.oid = a.roleid join pg_roles m on m.oid = a.member "
            "where r.rolname = any(%s) and m.rolname = any(%s)",
            (list(names), list(names)),
        )
        return {str(name) for (name,) in roles}, {(str(of), str(to)) for of, to in members}

    def execute_allowed(self, statements: Iterable[str]) -> list[LeftOut]:
        """See Warehouse."""
        left_out = []
        for sql in statements:
            try:
                with self.setup_transaction():
                    left_out += [LeftOut(sql, warning) for warning in self._warnings(sql)]
            except UsageError as error:
                left_out.append(LeftOut(sql, str(error)))
        return left_out

    def _warnings(self, grant: str) -> list[str]:
        """Run a statement; return what it did not grant: who may not pass it on is only warned."""
        found: list[str] = []

        def keep(notice: errors.Diagnostic) -> None:
            if notice.sqlstate in _NOT_GRANTED:
                found.append(str(notice.message_primary))

        self._connection.add_notice_handler(keep)
        try:
            self._connection.execute(grant.encode())
        finally:
            self._connection.remove_notice_handler(keep)
        return found

    def _raw(self, contract: Contract) -> TableName:
        return self.schemas.raw(contract.source, contract.table)

    def raw_columns(self, contract: Contract) -> list[ExistingColumn]:
        """See Warehouse."""
        rows = self.fetch(
            """
            select a.attname, format_type(a.atttypid, a.atttypmod), k.conname,
                substring(
                    pg_get_constraintdef(k.oid) from 'octet_length\\(.*\\) <= (\\d+)'
                )::integer
            from pg_attribute a
            left join pg_constraint k on k.conrelid = a.attrelid and k.contype = 'c'
                and k.conkey = array[a.attnum]
                and pg_get_constraintdef(k.oid) like '%%octet_length(%%'
            where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped
            order by a.attnum
            """,
            (self._raw(contract).sql,),
        )
        return [
            ExistingColumn(name, from_postgres(catalog_type, octets), check)
            for name, catalog_type, check, octets in rows
        ]

    def create_raw(self, contract: Contract) -> list[str]:
        """See Warehouse."""
        raw = self._raw(contract)
        columns = [_definition(column) for column in contract.columns] + [
            f"_batch_id bigint not null default {self.schemas.ledger('loading_batch_id').sql}()",
            f"_loaded_at timestamp not null default {self.schemas.ledger('loading_since').sql}()",
        ]
        return [
            f"create schema if not exists {quote_identifier(raw.schema)}",
            f"create table {raw.sql} ({', '.join(columns)})",
            f"create index on {raw.sql} using brin (_batch_id)",
        ]

    def add_column(self, contract: Contract, column: Column) -> str:
        """See Warehouse."""
        return f"alter table {self._raw(contract).sql} add column {_definition(column)}"

    def change_type(self, contract: Contract, column: Column, existing: ExistingColumn) -> str:
        """See Warehouse."""
        name = quote_identifier(column.name)
        steps = []
        if existing.constraint:
            steps.append(f"drop constraint {quote_identifier(existing.constraint)}")
        if existing.type.partition("(")[0] != column.type.name or not column.type.max_octets:
            steps.append(
                f"alter column {name} type {column.type.postgres} "
                f"using {name}::{column.type.postgres}"
            )
        if check := column.type.postgres_check(name):
            steps.append(f"add{check}")
        return f"alter table {self._raw(contract).sql} {', '.join(steps)}"

    def copy_sql(self, batch: Batch) -> str:
        """See Warehouse."""
        return self._copy(batch.contract, [column.name for column in batch.contract.columns])

    def _copy(self, contract: Contract, header: Sequence[str]) -> str:
        columns = ", ".join(map(quote_identifier, header))
        # The scanner hands over UTF-8 with commas and without the header, whatever the file has.
        # Typed formats know nulls, which it leaves unquoted.
        nulls = "" if isinstance(contract.form, ParquetForm) else f", force_not_null ({columns})"
        return (
            f"copy {self._raw(contract).sql} ({columns}) from stdin "
            f"(format csv, encoding 'UTF8'{nulls})"
        )

    def publishing(self) -> AbstractContextManager[None]:
        """See Warehouse."""
        return self.transaction()

    def refuse_if_recorded(
        self, source_table: str, bucket: str, files: Iterable[PlannedFile]
    ) -> None:
        """See Warehouse: the primary key does it."""

    def load_batch(
        self, batch: Batch, staging: Staging, run_id: str, on_progress: OnProgress
    ) -> BatchOutcome:
        """See Warehouse."""
        book, started = ledger.Ledger(self), time.monotonic()
        batch_id = self.new_id("batch_id")
        try:
            with self.transaction():
                book.claim(batch, batch_id)
                on_progress(Progress("claimed", batch.contract.name))
                self.fetch("select set_config(%s, %s, true)", (BATCH_SETTING, str(batch_id)))
                files = [self._load_file(batch, file, staging, on_progress) for file in batch.files]
                staged = f"{self._raw(batch.contract).sql} where _batch_id = {batch_id}"
                files = guarded(batch, files, self, staged)
                check_whole(batch, files)
                loaded = sum(file.status == "loaded" for file in files)
                outcome = BatchOutcome(batch, batch_id if loaded else None, tuple(files))
                book.settle(outcome, batch_id)
                if loaded:
                    book.publish(outcome, batch_id, run_id, time.monotonic() - started)
                on_progress(Progress("recorded", batch.contract.name, rows=outcome.rows_loaded))
        except NotWholeError as error:
            outcome = BatchOutcome(batch, None, error.files)
            self.record_refusals(batch.contract.name, batch.bucket, error.files)
        on_progress(Progress("committed", batch.contract.name, rows=outcome.rows_loaded))
        return outcome

    def _load_file(
        self, batch: Batch, file: PlannedFile, staging: Staging, on_progress: OnProgress
    ) -> FileOutcome:
        """Copy one file; one that is refused or has moved leaves no rows."""
        contract, key = batch.contract, file.object.key
        scanner: Scanner | None = None
        try:
            with (
                staging.open(file.object, md5=file.check is not None) as reader,
                self._connection.transaction(),
            ):
                scanner = scanner_of(reader, contract.form, contract.load.max_rejects)
                with self._connection.cursor() as cursor:
                    with cursor.copy(self._copy(contract, scanner.header).encode()) as copy:
                        for chunk in scanner.chunks():
                            copy.write(chunk)
                            on_progress(
                                Progress(
                                    "reading",
                                    contract.name,
                                    key,
                                    reader.bytes_read,
                                    scanner.records,
                                )
                            )
                    copied = cursor.rowcount
                good = scanner.records - len(scanner.rejected)
                if copied != good:
                    raise _MiscountError(
                        f"PostgreSQL made {copied} rows of the file's {good} good records"
                    )
        except MovedError:
            return FileOutcome(file, "moved")
        except FileRefused as error:
            return refused_by_scanner(file, scanner, error)
        except _MiscountError as error:
            return refused(file, scanner.records if scanner else 0, "miscounted", str(error))
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            records = scanner.records if scanner else 0
            return refused(file, records, "refused_by_warehouse", _without_values(error))
        on_progress(Progress("read", contract.name, key, reader.bytes_read, copied))
        return scanned(file, scanner, reader)

    @contextmanager
    def query(self, sql: str) -> Iterator[QueryResult]:
        """See Warehouse."""
        with self._reading(sql) as (columns, rows):
            yield QueryResult(tuple(name for name, _, _ in columns), rows)

    @contextmanager
    def batches(
        self, sql: str, limit: int | None, staging: Callable[[], Staging]
    ) -> Iterator[Batches]:
        """See Warehouse."""
        from loaders.warehouse.arrow_rows import AnswerColumn, in_batches

        with self._reading(sql) as (columns, rows):
            yield in_batches([AnswerColumn(*column) for column in columns], rows, limit)

    @contextmanager
    def _reading(
        self, sql: str
    ) -> Iterator[tuple[list[tuple[str, int, int]], Iterator[tuple[Any, ...]]]]:
        """Yield a statement's columns, with type and modifier, and its rows as they arrive.

        Of an interrupt psycopg cancels the statement and waits a few seconds for its end. Raises
        NotCancelledError if it gave up.
        """
        session = self._connection.info.backend_pid
        with _translated():
            try:
                with self._connection.transaction():
                    self._connection.execute("set transaction read only")
                    marts = quote_identifier(self.schemas.target)
                    self._connection.execute(f"set local search_path to {marts}, public".encode())
                    columns = self._described(sql)
                    stream = self._connection.cursor().stream(sql.encode(), size=ROWS_PER_FETCH)
                    with closing(cast(Generator[tuple[Any, ...]], stream)) as rows:
                        yield columns, rows
            except KeyboardInterrupt:
                state = self._connection.info.transaction_status
                if state in (
                    psycopg.pq.TransactionStatus.ACTIVE,
                    psycopg.pq.TransactionStatus.UNKNOWN,
                ):
                    raise NotCancelledError(session) from None
                raise
            except psycopg.OperationalError:
                raise
            except psycopg.Error as error:
                raise UsageError(f"the query failed: {str(error).strip()}") from None

    def _described(self, sql: str) -> list[tuple[str, int, int]]:
        """Return the columns of a statement without running it; refuse several statements."""
        server = self._connection.pgconn
        encoding = self._connection.info.encoding
        for answer in (server.prepare(b"", sql.encode(encoding)), server.describe_prepared(b"")):
            if answer.status != psycopg.pq.ExecStatus.COMMAND_OK:
                raise errors.error_from_result(answer, encoding)
        if not answer.nfields:
            raise UsageError("the statement returns no rows: `query` is for one that reads")
        return [
            ((answer.fname(nr) or b"").decode(encoding), answer.ftype(nr), answer.fmod(nr))
            for nr in range(answer.nfields)
        ]

    def close(self) -> None:
        """See Warehouse."""
        self._connection.close()


class _MiscountError(Exception):
    """COPY and the scanner disagree about the number of records."""


def _definition(column: Column) -> str:
    name = quote_identifier(column.name)
    return f"{name} {column.type.postgres}{column.type.postgres_check(name)}"


def _without_values(error: psycopg.Error) -> str:
    """Say what the server refused and where, without the row or value that it quotes."""
    message = without_values(error.diag.message_primary or "")
    place = _PLACE.match(error.diag.context or "")
    return f"{message}; {place[0]}" if place else message


def _logged(error: psycopg.Error) -> str:
    """Say for a log what went wrong; who has no SQLSTATE is psycopg, and quotes nothing."""
    if error.sqlstate is None:
        return f"PostgreSQL: {str(error).strip()}"
    if error.sqlstate.startswith(_OF_DATA):  # its words may be the data's
        return f"PostgreSQL: a value is refused (SQLSTATE {error.sqlstate})"
    return f"PostgreSQL: {_without_values(error)} (SQLSTATE {error.sqlstate})"


@contextmanager
def _translated() -> Iterator[None]:
    """Turn psycopg's errors into ours, told by whose fault they are."""
    try:
        yield
    except errors.UniqueViolation as error:
        raise ClaimedError(str(error)) from None
    except (errors.QueryCanceled, errors.DiskFull) as error:
        raise WarehouseError(f"PostgreSQL: {str(error).strip()}", _logged(error)) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Transient(f"PostgreSQL: {str(error).strip()}", _logged(error)) from error
    except errors.UndefinedObject as error:
        raise UsageError(f"PostgreSQL: {error.diag.message_primary}") from error
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName) as error:
        raise UsageError(
            f"PostgreSQL: {error.diag.message_primary}; run `warehouse setup`"
        ) from error
    except errors.InsufficientPrivilege as error:
        raise UsageError(
            f"PostgreSQL: {error.diag.message_primary}; grant it to the profile's user"
        ) from error
    except psycopg.Error as error:
        raise WarehouseError(f"PostgreSQL: {str(error).strip()}", _logged(error)) from error
