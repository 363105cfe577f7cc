"""Amazon Redshift: connections, DDL of raw tables, and COPY of a batch with its ledger rows.

Each file is scanned here first, so that it is refused for the same reasons as on PostgreSQL; then
one COPY per header order reads the good ones from a manifest into a session temporary table, and
a short transaction under the publish lock moves them into the raw table with the ledger rows.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import redshift_connector
from redshift_connector import error as driver

from loaders import ledger
from loaders.contracts import Column, Contract
from loaders.errors import UsageError, WarehouseError
from loaders.formats.faults import FileRefused
from loaders.formats.scanners import Scanner, scanner_of
from loaders.identifiers import Schemas, TableName, quote_identifier, quote_literal
from loaders.staging.batches import Batch, BatchLimits, BatchOutcome, FileOutcome, PlannedFile
from loaders.staging.objects import MovedError, Staging
from loaders.warehouse.base import (
    ExistingColumn,
    LeftOut,
    OnProgress,
    Progress,
    QueryResult,
    Warehouse,
)
from loaders.warehouse.copy_statement import (
    STAGED,
    Source,
    as_rewritten,
    as_staged,
    copy_statement,
    is_misnamed,
    lengths,
    load_advice,
    manifest,
    needs_rewriting,
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
from loaders.warehouse.redshift_errors import RefusedError, translated
from loaders.warehouse.redshift_work import check_unmoved, remove_work, rewrite
from loaders.warehouse.types import from_redshift

CASE_OF_NAMES = "enable_case_sensitive_super_attribute"
WORK = "_warehouse/"  # below the staging root: manifests and files in canonical form
ROWS_PER_FETCH = 500
LOGGED_NAME = 256  # characters of a file name in sys_load_error_detail
# A silent loss of the connection is noticed within a minute, not after the system's two hours.
KEEPALIVES: Mapping[str, Any] = {
    "tcp_keepalive_idle": 30,
    "tcp_keepalive_interval": 10,
    "tcp_keepalive_count": 3,
}
_CAPITALS = re.compile("[a-z_]*[A-Z][A-Za-z0-9_]*")  # names that need no quotes, with a capital
# What `query` takes: such a statement, after brackets and comments that hold no other comment.
_READING = re.compile(r"(?is)(\s|\(|--[^\n]*\n|/\*(?:(?!/\*).)*?\*/)*(select|with|show|explain)\b")


class RedshiftWarehouse(Warehouse):
    """A connection to Redshift; `connection` has redshift-connector's parameters."""

    # One COPY loads many files in parallel, and each costs a transaction under the lock.
    limits = BatchLimits(files=500, bytes=4 * 1024**3)
    now = "getdate()"
    to_hex = "from_varbyte({}, 'hex')"
    from_hex = "to_varbyte({}, 'hex')"

    def __init__(self, connection: Mapping[str, Any], schemas: Schemas) -> None:
        self.schemas = schemas
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
        columns = [_definition(column) for column in contract.columns] + [
            "_batch_id bigint not null",
            "_loaded_at timestamp not null",
        ]
        return [
            f"create schema if not exists {quote_identifier(raw.schema)}",
            f"create table {raw.sql} ({', '.join(columns)}) diststyle even sortkey (_batch_id)",
        ]

    def add_column(self, contract: Contract, column: Column) -> str:
        """See Warehouse."""
        return f"alter table {self._raw(contract).sql} add column {_definition(column)}"

    def change_type(self, contract: Contract, column: Column, existing: ExistingColumn) -> str:
        """See Warehouse. Redshift can only widen a varchar in place."""
        name = quote_identifier(column.name)
        return f"alter table {self._raw(contract).sql} alter column {name} type {column.type}"

    def copy_sql(self, batch: Batch) -> str:
        """See Warehouse: for files whose header has the contract's order."""
        contract, keys = batch.contract, [file.object.key for file in batch.files]
        work = f"{keys[0].partition(contract.load.path)[0]}{WORK}<run>/"
        header = tuple(column.name for column in contract.columns)
        source = as_staged(contract.form, keys[0], header)
        if needs_rewriting(contract.form):
            keys = [f"{work}{number}" for number in range(len(keys))]
            source = as_rewritten(contract.form, "", header)
        url = f"s3://{batch.bucket}/{work}manifest-0.json"
        body = manifest(batch.bucket, keys, lengths(contract.form, batch.files))
        return f"{copy_statement(source, url)} -- manifest: {body}"

    def advice(self, batch: Batch) -> list[str]:
        """See Warehouse. Serverless does not show its slices: then nothing is said of them."""
        try:
            slices = int(self.fetch("select count(*) from stv_slices")[0][0])
        except (RefusedError, UsageError):
            return []
        return load_advice([file.object for file in batch.files], slices)

    def load_batch(
        self, batch: Batch, staging: Staging, run_id: str, on_progress: OnProgress
    ) -> BatchOutcome:
        """See Warehouse."""
        book = ledger.Ledger(self)
        # A label for people only: a backslash in a name, which no literal can hold, goes.
        tag = f"warehouse:{run_id}:{batch.contract.name}".replace("\\", "_")
        self.execute(f"set query_group to {quote_literal(tag)}")
        work = f"{staging.root}{WORK}{run_id}-{os.getpid()}-{id(self)}/"
        try:
            files, sources = self._scan(batch, staging, work, on_progress)
            files = self._copy_all(batch, staging, work, files, sources)
            outcome = self._publish(batch, run_id, files, book)
        except NotWholeError as error:
            outcome = BatchOutcome(batch, None, error.files)
            self.record_refusals(batch.contract.name, batch.bucket, error.files)
        finally:
            remove_work(staging, work)
        on_progress(Progress("committed", batch.contract.name, rows=outcome.rows_loaded))
        return outcome

    def _scan(
        self, batch: Batch, staging: Staging, work: str, on_progress: OnProgress
    ) -> tuple[list[FileOutcome], dict[str, Source]]:
        """Check every file; say what COPY shall read for each good one, by the file's key."""
        files: list[FileOutcome] = []
        sources: dict[str, Source] = {}
        name, form = batch.contract.name, batch.contract.form
        most = batch.contract.load.max_rejects
        for file in batch.files:
            key, cleaned = file.object.key, f"{work}{len(files)}"
            scanner: Scanner | None = None
            try:
                with staging.open(file.object, md5=file.check is not None) as reader:
                    scanner = scanner_of(reader, form, most)
                    if needs_rewriting(form):
                        sources[key] = rewrite(scanner, form, staging, cleaned)
                    else:
                        for _ in scanner.chunks():
                            on_progress(
                                Progress("reading", name, key, reader.bytes_read, scanner.records)
                            )
                        sources[key] = as_staged(form, key, scanner.header)
                unlike = scanner.rejected or is_misnamed(form, key, reader.beginning)
                if unlike and sources[key].key == key:
                    with staging.open(file.object) as again:
                        cleaner = scanner_of(again, form, most)
                        sources[key] = rewrite(cleaner, form, staging, cleaned)
                files.append(scanned(file, scanner, reader))
                on_progress(Progress("read", name, key, reader.bytes_read, scanner.records))
            except MovedError:
                files.append(FileOutcome(file, "moved"))
            except FileRefused as error:
                files.append(refused_by_scanner(file, scanner, error))
        return files, sources

    def _copy_all(
        self,
        batch: Batch,
        staging: Staging,
        work: str,
        files: list[FileOutcome],
        sources: Mapping[str, Source],
    ) -> list[FileOutcome]:
        """Bring the good files into the temporary table; a file that COPY refuses is left out."""
        while True:
            good = [file for file in files if file.status == "loaded"]
            bad = self._try_copy(batch, staging, work, good, sources)
            if not bad:
                return files
            files = [bad.get(file.file.object.key, file) for file in files]

    def _try_copy(
        self,
        batch: Batch,
        staging: Staging,
        work: str,
        good: Sequence[FileOutcome],
        sources: Mapping[str, Source],
    ) -> dict[str, FileOutcome]:
        """COPY the files into a new temporary table; return those that are to blame if it fails."""
        columns = ", ".join(_definition(column) for column in batch.contract.columns)
        self.execute(f"drop table if exists {STAGED}")
        self.execute(f"create temporary table {STAGED} ({columns})")
        groups: dict[Source, list[FileOutcome]] = {}
        for file in good:
            kind = replace(sources[file.file.object.key], key="")
            groups.setdefault(kind, []).append(file)
        session = self.fetch("select pg_backend_pid(), getdate()")[0]
        for number, (kind, group) in enumerate(groups.items()):
            keys = {sources[file.file.object.key].key: file for file in group}
            place = f"{work}manifest-{number}.json"
            sizes = lengths(batch.contract.form, [file.file for file in group])
            body = manifest(batch.bucket, list(keys), sizes)
            staging.upload(io.BytesIO(body.encode()), place)
            try:
                self.execute(copy_statement(kind, f"s3://{batch.bucket}/{place}"))
            except RefusedError:
                check_unmoved(good, staging)
                if bad := self._blamed(batch.bucket, keys, session):
                    return bad
                raise
        check_unmoved(good, staging)
        expected = sum(file.rows_loaded for file in good)
        copied = int(self.fetch(f"select count(*) from {STAGED}")[0][0])  # noqa: S608
        if copied == expected:
            return {}
        detail = f"Redshift made {copied} rows of the {expected} good records of these files"
        return {f.file.object.key: refused(f.file, f.rows_read, "miscounted", detail) for f in good}

    def _blamed(
        self, bucket: str, keys: Mapping[str, FileOutcome], session: tuple[int, datetime]
    ) -> dict[str, FileOutcome]:
        """Return the file of `keys` that this session's COPY failed at, if it was a file.

        Nothing is named when the role, the bucket or the warehouse was at fault: then no file
        is refused for it. `session` is its process id and a time before the COPY.
        """
        named = self.fetch(
            "select trim(file_name), line_number, trim(error_message) from sys_load_error_detail "
            "where session_id = %s and start_time >= %s order by start_time desc",
            session,
        )
        for url, line, message in named:
            for key, file in keys.items():
                # The view cuts long names.
                if f"s3://{bucket}/{key}"[:LOGGED_NAME] == str(url)[:LOGGED_NAME]:
                    detail = f"line {line}: {message}"
                    bad = refused(file.file, file.rows_read, "refused_by_warehouse", detail)
                    return {file.file.object.key: bad}
        return {}

    def _publish(
        self, batch: Batch, run_id: str, files: list[FileOutcome], book: ledger.Ledger
    ) -> BatchOutcome:
        """Move the rows into the raw table with the ledger rows: all of it or nothing."""
        with self.publishing():
            self.refuse_if_recorded(batch.contract.name, batch.bucket, batch.files)
            files = guarded(batch, files, self, STAGED)
            check_whole(batch, files)
            loaded = [file for file in files if file.status == "loaded"]
            batch_id = self.new_id("batch_id") if loaded else None
            outcome = BatchOutcome(batch, batch_id, tuple(files))
            kept = [file for file in files if file.status != "moved"]
            book.insert_files(batch.contract.name, batch.bucket, batch_id, kept)
            if batch_id is not None:
                columns = ", ".join(quote_identifier(c.name) for c in batch.contract.columns)
                self.execute(
                    f"insert into {self._raw(batch.contract).sql} "  # noqa: S608
                    f"({columns}, _batch_id, _loaded_at) "
                    f"select {columns}, {batch_id}, {self.now} from {STAGED}"
                )
                book.publish(outcome, batch_id, run_id)
        return outcome

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """See Warehouse."""
        with self.transaction():
            # The first statement: any other would take the snapshot before the lock is held.
            self.execute(f"lock table {self.schemas.ledger('publish_lock').sql}")
            yield

    def refuse_if_recorded(
        self, source_table: str, bucket: str, files: Iterable[PlannedFile]
    ) -> None:
        """See Warehouse."""
        table = self.schemas.ledger("files").sql
        found = self.fetch(
            f"select object_key, generation from {table} "  # noqa: S608
            "where source_table = %s and bucket = %s",
            (source_table, bucket),
        )
        known = {(str(key), int(generation)) for key, generation in found}
        for file in files:
            if (file.object.key, file.generation) in known:
                raise ClaimedError(f"{file.object.key} generation {file.generation} is recorded")

    @contextmanager
    def query(self, sql: str) -> Iterator[QueryResult]:
        """See Warehouse."""
        # In a read-only transaction UNLOAD still writes to S3, and COMMIT ends it.
        if not _READING.match(sql):
            raise UsageError("`query` is for one statement that reads: SELECT, WITH, SHOW, EXPLAIN")
        try:
            with translated(), self._connection.cursor() as cursor:
                cursor.execute(
                    f"set search_path to {quote_identifier(self.schemas.target)}, public"
                )
                cursor.execute("begin read only")
                cursor.paramstyle = "numeric"  # % is an operator here, not a parameter
                cursor.execute(sql)
                if cursor.description is None:
                    raise UsageError("the statement returns no rows: `query` is for one that reads")
                names = tuple(_text(column[0]) for column in cursor.description)
                yield QueryResult(names, _stream(cursor))
        except RefusedError as error:
            raise UsageError(f"the query failed: {error}") from None
        finally:
            with suppress(WarehouseError):
                self.execute("rollback")

    def close(self) -> None:
        """See Warehouse."""
        with suppress(driver.Error, OSError):
            self._connection.close()


def _stream(cursor: Any) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(ROWS_PER_FETCH):
        yield from (tuple(row) for row in rows)


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _definition(column: Column) -> str:
    return f"{quote_identifier(column.name)} {column.type.redshift}"
