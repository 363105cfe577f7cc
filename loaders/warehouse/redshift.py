"""Amazon Redshift: connections, DDL of raw tables, and COPY of a batch with its ledger rows.

Each file is scanned here first, so that it is refused for the same reasons as on PostgreSQL; then
one COPY per header order reads the good ones from a manifest into a session temporary table, and
a short transaction under the publish lock moves them into the raw table with the ledger rows.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

import redshift_connector
from redshift_connector import error as driver

from loaders import ledger
from loaders.contracts import Column, Contract
from loaders.errors import Transient, UsageError, WarehouseError
from loaders.formats.csv_form import CsvForm, CsvRefused
from loaders.formats.csv_scanner import CsvScanner
from loaders.identifiers import Schemas, TableName, quote_identifier, quote_literal
from loaders.staging.batches import Batch, BatchLimits, BatchOutcome, FileOutcome
from loaders.staging.objects import MovedError, StagedObject, Staging
from loaders.warehouse.base import ExistingColumn, OnProgress, Progress, QueryResult, Warehouse
from loaders.warehouse.database import ClaimedError
from loaders.warehouse.outcomes import (
    NotWholeError,
    check_whole,
    guarded,
    refused,
    rejected_record,
)
from loaders.warehouse.types import from_redshift

ROLE_VARIABLE = "WAREHOUSE_COPY_ROLE"  # the ARN that COPY assumes; the cluster's default if unset
WORK = "_warehouse/"  # below the staging root: manifests and files in canonical form
STAGED = '"staged_files"'
# COPY makes a NULL of this text only. No export holds it; '\N', the default, some do.
NO_NULL = "null-0f6d2a8e-5f0c-4c57-9d0b-7d3a1b6f4e21"
ROWS_PER_FETCH = 500
SMALL_BYTES, LARGE_BYTES = 10**6, 10**9
_SERIALIZATION = ("1023", "Serializable isolation violation", "could not serialize")


@dataclass(frozen=True)
class _Source:
    """What COPY shall read for a file: its own object, or its canonical form at a work key."""

    key: str
    header: tuple[str, ...]
    header_lines: int
    gzip: bool


class RedshiftWarehouse(Warehouse):
    """A connection to Redshift; `connection` has redshift-connector's parameters."""

    # One COPY loads many files in parallel, and each costs a transaction under the lock.
    limits = BatchLimits(files=500, bytes=4 * 1024**3)
    now = "getdate()"

    def __init__(self, connection: Mapping[str, Any], schemas: Schemas) -> None:
        self.schemas = schemas
        with _translated():
            self._connection = redshift_connector.connect(**connection)
        self._connection.autocommit = True

    def fetch(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """See Database."""
        with _translated(), self._connection.cursor() as cursor:
            cursor.execute(sql, list(parameters) or None)
            return [tuple(row) for row in cursor.fetchall()]

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """See Database."""
        with _translated(), self._connection.cursor() as cursor:
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
            with suppress(WarehouseError):
                self.execute("rollback")
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
        source = _Source("", tuple(c.name for c in batch.contract.columns), 1, _is_gzip(batch))
        manifest = f"s3://{batch.bucket}/{WORK}manifests/<run>.json"
        entries = _manifest(batch.bucket, [file.object.key for file in batch.files])
        return f"{_copy(source, manifest)} -- manifest: {entries}"

    def advice(self, batch: Batch) -> list[str]:
        """See Warehouse. Serverless does not show its slices: then nothing is said of them."""
        try:
            slices = int(self.fetch("select count(*) from stv_slices")[0][0])
        except _RefusedError:
            return []
        return load_advice([file.object for file in batch.files], slices)

    def load_batch(
        self, batch: Batch, staging: Staging, run_id: str, on_progress: OnProgress
    ) -> BatchOutcome:
        """See Warehouse."""
        book = ledger.Ledger(self)
        self.execute(f"set query_group to {quote_literal(f'warehouse:{batch.contract.name}')}")
        work = f"{staging.root}{WORK}{run_id}-{os.getpid()}-{id(self)}/"
        try:
            files, sources = self._scan(batch, staging, work, on_progress)
            files = self._copy_all(batch, staging, work, files, sources)
            outcome = self._publish(batch, run_id, files, book)
        except NotWholeError as error:
            outcome = BatchOutcome(batch, None, error.files)
            self._record_refusals(batch, error.files, book)
        finally:
            _remove_work(staging, work)
        on_progress(Progress("committed", batch.contract.name, rows=outcome.rows_loaded))
        return outcome

    def _scan(
        self, batch: Batch, staging: Staging, work: str, on_progress: OnProgress
    ) -> tuple[list[FileOutcome], dict[str, _Source]]:
        """Check every file; say what COPY shall read for each good one, by the file's key."""
        files: list[FileOutcome] = []
        sources: dict[str, _Source] = {}
        name = batch.contract.name
        for file in batch.files:
            key = file.object.key
            scanner: CsvScanner | None = None
            try:
                with staging.open(file.object) as reader:
                    scanner = CsvScanner(reader, batch.contract.form)
                    if needs_rewriting(batch.contract.form):
                        sources[key] = _rewrite(scanner, staging, f"{work}{len(files)}.csv")
                    else:
                        for _ in scanner.chunks():
                            on_progress(
                                Progress("reading", name, key, reader.bytes_read, scanner.records)
                            )
                        sources[key] = _Source(key, scanner.header, 1, key.endswith(".gz"))
                files.append(
                    FileOutcome(
                        file,
                        "loaded",
                        scanner.records,
                        scanner.records,
                        version_id=reader.version_id,
                    )
                )
                on_progress(Progress("read", name, key, reader.bytes_read, scanner.records))
            except MovedError:
                files.append(FileOutcome(file, "moved"))
            except CsvRefused as error:
                records = scanner.records if scanner else 0
                reason, found = error.fault.reason.value, (rejected_record(error.fault),)
                files.append(refused(file, records, reason, str(error), found))
        return files, sources

    def _copy_all(
        self,
        batch: Batch,
        staging: Staging,
        work: str,
        files: list[FileOutcome],
        sources: Mapping[str, _Source],
    ) -> list[FileOutcome]:
        """Bring the good files into the temporary table; a file that COPY refuses is left out."""
        while True:
            good = [file for file in files if file.status == "loaded"]
            bad = self._try_copy(batch, staging, work, good, sources)
            if not bad:
                break
            files = [bad.get(file.file.object.key, file) for file in files]
        for file in good:
            if staging.etag(file.file.object.key) != file.file.object.etag:
                raise Transient(f"{file.file.object.key} changed while it was loaded")
        return files

    def _try_copy(
        self,
        batch: Batch,
        staging: Staging,
        work: str,
        good: Sequence[FileOutcome],
        sources: Mapping[str, _Source],
    ) -> dict[str, FileOutcome]:
        """COPY the files into a new temporary table; return those that are to blame if it fails."""
        columns = ", ".join(_definition(column) for column in batch.contract.columns)
        self.execute(f"drop table if exists {STAGED}")
        self.execute(f"create temporary table {STAGED} ({columns})")
        groups: dict[_Source, list[FileOutcome]] = {}
        for file in good:
            kind = replace(sources[file.file.object.key], key="")
            groups.setdefault(kind, []).append(file)
        for number, (kind, group) in enumerate(groups.items()):
            keys = {sources[file.file.object.key].key: file for file in group}
            manifest = f"{work}manifest-{number}.json"
            body = _manifest(batch.bucket, list(keys))
            staging.client.put_object(Bucket=batch.bucket, Key=manifest, Body=body.encode())
            try:
                self.execute(_copy(kind, f"s3://{batch.bucket}/{manifest}"))
            except _RefusedError as error:
                return self._blamed(batch.bucket, keys, error)
        expected = sum(file.rows_read for file in good)
        copied = int(self.fetch(f"select count(*) from {STAGED}")[0][0])  # noqa: S608
        if copied == expected:
            return {}
        detail = f"Redshift made {copied} rows of the {expected} records of these files"
        return {f.file.object.key: refused(f.file, f.rows_read, "miscounted", detail) for f in good}

    def _blamed(
        self, bucket: str, keys: Mapping[str, FileOutcome], error: _RefusedError
    ) -> dict[str, FileOutcome]:
        """Find the file that made COPY fail: by name in the load errors, else all of them."""
        named = self.fetch(
            "select trim(file_name), line_number, trim(error_message) from sys_load_error_detail "
            "order by start_time desc limit 100"
        )
        for url, line, message in named:
            file = keys.get(str(url).removeprefix(f"s3://{bucket}/"))
            if file:
                detail = f"line {line}: {message}"
                return {
                    file.file.object.key: refused(
                        file.file, file.rows_read, "refused_by_warehouse", detail
                    )
                }
        return {
            f.file.object.key: refused(f.file, f.rows_read, "refused_by_warehouse", str(error))
            for f in keys.values()
        }

    def _publish(
        self, batch: Batch, run_id: str, files: list[FileOutcome], book: ledger.Ledger
    ) -> BatchOutcome:
        """Move the rows into the raw table with the ledger rows: all of it or nothing."""
        with self.transaction():
            # The first statement: any other would take the snapshot before the lock is held.
            self.execute(f"lock table {self.schemas.ledger('publish_lock').sql}")
            self._refuse_if_recorded(batch)
            files = guarded(batch, files, book)
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

    def _refuse_if_recorded(self, batch: Batch) -> None:
        """Raise ClaimedError for a generation that is known: keys are not enforced here."""
        table = self.schemas.ledger("files").sql
        found = self.fetch(
            f"select object_key, generation from {table} "  # noqa: S608
            "where source_table = %s and bucket = %s",
            (batch.contract.name, batch.bucket),
        )
        known = {(str(key), int(generation)) for key, generation in found}
        for file in batch.files:
            if (file.object.key, file.generation) in known:
                raise ClaimedError(f"{file.object.key} generation {file.generation} is recorded")

    def _record_refusals(
        self, batch: Batch, files: Iterable[FileOutcome], book: ledger.Ledger
    ) -> None:
        with self.transaction():
            self.execute(f"lock table {self.schemas.ledger('publish_lock').sql}")
            self._refuse_if_recorded(batch)
            bad = [file for file in files if file.status == "refused"]
            book.insert_files(batch.contract.name, batch.bucket, None, bad)

    @contextmanager
    def query(self, sql: str) -> Iterator[QueryResult]:
        """See Warehouse."""
        try:
            with _translated(), self._connection.cursor() as cursor:
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
        except _RefusedError as error:
            raise UsageError(f"the query failed: {error}") from None
        finally:
            with suppress(WarehouseError):
                self.execute("rollback")

    def close(self) -> None:
        """See Warehouse."""
        with suppress(driver.Error, OSError):
            self._connection.close()


def load_advice(objects: Sequence[StagedObject], slices: int) -> list[str]:
    """Return what AWS advises for COPY: compressed files of 1 MB to 1 GB, a multiple of the slices.

    Source: Amazon Redshift Database Developer Guide, "Loading data files".
    """
    advice = []
    largest = max(item.bytes for item in objects)
    small = sum(item.bytes < SMALL_BYTES for item in objects)
    if len(objects) < slices and largest > SMALL_BYTES:
        advice.append(f"{len(objects)} files for {slices} slices: split them into {slices} or more")
    if largest > LARGE_BYTES:
        advice.append(f"the largest file has {largest} bytes: split files above {LARGE_BYTES}")
    if small > 10 * slices:
        advice.append(f"{small} files below {SMALL_BYTES} bytes: join them before staging")
    return advice


class _RefusedError(WarehouseError):
    """Redshift refused a statement, and would refuse it again."""


def _stream(cursor: Any) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(ROWS_PER_FETCH):
        yield from (tuple(row) for row in rows)


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _definition(column: Column) -> str:
    return f"{quote_identifier(column.name)} {column.type.redshift}"


def _is_gzip(batch: Batch) -> bool:
    return batch.files[0].object.key.endswith(".gz")


def needs_rewriting(form: CsvForm) -> bool:
    """Whether COPY could not read the files as they are: only canonical CSV is left to it."""
    plain = (form.delimiter, form.codec, form.skip_lines) == (",", "utf-8", 0)
    return not (plain and form.header and not form.trailing_delimiter)


def _rewrite(scanner: CsvScanner, staging: Staging, key: str) -> _Source:
    """Put the file's canonical form, without header, at a work key."""
    with tempfile.TemporaryFile() as spool:
        for chunk in scanner.chunks():
            spool.write(chunk)
        spool.seek(0)
        staging.client.upload_fileobj(spool, staging.bucket, key)
    return _Source(key, scanner.header, 0, False)


def _manifest(bucket: str, keys: Sequence[str]) -> str:
    """Return the manifest: every file is mandatory, which is not COPY's default."""
    entries = [{"url": f"s3://{bucket}/{key}", "mandatory": True} for key in keys]
    return json.dumps({"entries": entries})


def _copy(source: _Source, manifest: str) -> str:
    """Return the COPY into the temporary table. Only a role can authorize it, never a key."""
    columns = ", ".join(map(quote_identifier, source.header))
    role = os.environ.get(ROLE_VARIABLE)
    options = [
        f"iam_role {quote_literal(role) if role else 'default'}",
        "manifest",
        "format as csv",
        f"null as {quote_literal(NO_NULL)}",
    ]
    if source.header_lines:
        options.append(f"ignoreheader {source.header_lines}")
    if source.gzip:
        options.append("gzip")
    return f"copy {STAGED} ({columns}) from {quote_literal(manifest)} {' '.join(options)}"


def _remove_work(staging: Staging, work: str) -> None:
    """Delete manifests and rewritten files; what a kill leaves there is never read again."""
    with suppress(Exception):
        for item in list(staging.list(work.removeprefix(staging.root))):
            staging.client.delete_object(Bucket=staging.bucket, Key=item.key)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into ours. Its texts hold neither parameters nor passwords."""
    try:
        yield
    except (
        driver.InterfaceError,
        driver.OperationalError,
        OSError,
    ) as error:
        raise Transient(f"Redshift: the connection failed ({type(error).__name__})") from error
    except driver.Error as error:
        fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        message = str(fields.get("M") or error)
        detail = str(fields.get("D") or "")
        if any(text in message or text in detail for text in _SERIALIZATION):
            raise Transient(f"Redshift: {message}") from error
        raise _RefusedError(f"Redshift: {message} {detail}".strip()) from error
