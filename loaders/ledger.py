"""The ledger: what was loaded, refused and superseded, in the warehouse itself.

Portable statements only. Times are UTC without a zone, by the server's clock, so that loaders on
several machines agree.
"""

# ruff: noqa: S608  # only table names, quoted, are put into the statements

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from loaders.identifiers import Schemas, quote_identifier
from loaders.staging.batches import Batch, BatchOutcome, FileOutcome, PlannedFile
from loaders.warehouse.database import Database

MAX_DETAIL_BYTES = 4096  # varchar(4096) counts bytes on Redshift
MAX_RAW_BYTES = 32_767  # as hexadecimal text they fit into a varchar of Redshift

_TABLES = {
    "files": """
        source_table varchar(255) not null, bucket varchar(63) not null,
        object_key varchar(1024) not null, generation integer not null, batch_id bigint,
        etag varchar(255), version_id varchar(1024), bytes bigint, last_modified timestamp,
        status varchar(16) not null, rows_read bigint, rows_loaded bigint, rows_rejected bigint,
        reason varchar(64), detail varchar(4096), recorded_at timestamp not null,
        primary key (source_table, bucket, object_key, generation)""",
    "batches": """
        batch_id bigint not null primary key, source_table varchar(255) not null,
        mode varchar(16) not null, version_at timestamp, export_key varchar(1024),
        files integer not null, rows_loaded bigint not null, rows_rejected bigint not null,
        bytes bigint not null, loaded_at timestamp not null, run_id varchar(36) not null,
        seconds decimal(12, 3)""",
    "events": """
        event_id bigint not null primary key, batch_id bigint not null,
        source_table varchar(255) not null, event varchar(16) not null,
        recorded_at timestamp not null""",
    "applied": """
        model varchar(255) not null, event_id bigint not null, invocation_id varchar(36),
        applied_at timestamp not null, primary key (model, event_id)""",
    "applied_versions": """
        model varchar(255) not null, dimension varchar(255) not null,
        natural_key varchar(255) not null, dimension_key bigint not null,
        valid_from timestamp, valid_to timestamp""",
    # Quoted: RAW is a reserved word of Redshift.
    "rejected_rows": """
        source_table varchar(255) not null, bucket varchar(63) not null,
        object_key varchar(1024) not null, generation integer not null, record_number bigint,
        line_number bigint, byte_offset bigint, reason varchar(64) not null,
        detail varchar(4096), "raw" {varbyte}, recorded_at timestamp not null""",
    "runs": """
        run_id varchar(36) not null primary key, command varchar(64) not null,
        host varchar(255), os_user varchar(255), pid integer, started_at timestamp not null,
        finished_at timestamp, outcome varchar(32)""",
    "builds": """
        invocation_id varchar(36) not null primary key, started_at timestamp not null,
        finished_at timestamp, db_user varchar(255), outcome varchar(32),
        fingerprint varchar(64)""",
    # One row: from then on the column was so; a type is null where there is no such column.
    "raw_columns": """
        source_table varchar(255) not null, column_name varchar(127) not null,
        contract_type varchar(64), raw_type varchar(64), observed_at timestamp not null""",
    # One row: this topic was told of this breach. No key: what two tell it, it was told twice.
    "alerts": """
        breach_id varchar(32) not null, topic varchar(512) not null,
        table_name varchar(255) not null, day date not null, measure varchar(64) not null,
        verdict varchar(16) not null, message_id varchar(128), published_at timestamp not null""",
    "publish_lock": "x integer",
    "build_lock": "x integer",
}

# Columns that ledgers made by earlier versions do not have. Redshift knows no `if not exists` here.
_ADDED = (("batches", "seconds", "decimal(12, 3)"),)


def create_tables(schemas: Schemas, varbyte: str) -> list[str]:
    """Return the DDL of the ledger's schema and tables; `varbyte` is the type of raw bytes."""
    schema = quote_identifier(schemas.schema("ledger"))
    return [f"create schema if not exists {schema}"] + [
        f"create table if not exists {schemas.ledger(name).sql} ({columns.format(varbyte=varbyte)})"
        for name, columns in _TABLES.items()
    ]


def add_columns(db: Database) -> list[str]:
    """Return the DDL of the columns that a ledger made by an earlier version lacks."""
    found = db.fetch(
        "select table_name, column_name from information_schema.columns where table_schema = %s",
        (db.schemas.schema("ledger"),),
    )
    known = {(str(table), str(column)) for table, column in found}
    return [
        f"alter table {db.schemas.ledger(table).sql} add column {column} {kind}"
        for table, column, kind in _ADDED
        if (table, column) not in known
    ]


Status = Literal["loaded", "refused", "requeued"]


@dataclass(frozen=True)
class FileRow:
    """One generation of an object, as the ledger has it."""

    key: str
    generation: int
    batch_id: int | None
    etag: str
    status: Status
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True)
class LiveBatch:
    """A batch whose rows count: loaded and not superseded."""

    batch_id: int
    export_key: str | None = None
    version_at: datetime | None = None


@dataclass(frozen=True)
class TableState:
    """All that planning needs to know of one table in one bucket."""

    latest: Mapping[str, FileRow]  # by key: the last generation, whatever became of it
    current: Mapping[str, FileRow]  # by key: the last loaded generation, if its batch is live
    batches: Mapping[int, LiveBatch]
    files: Mapping[int, tuple[FileRow, ...]]  # by live batch: the generations it holds

    @staticmethod
    def of(rows: Iterable[FileRow], batches: Iterable[LiveBatch]) -> TableState:
        """Build the state from all rows of a table, in any order."""
        live = {batch.batch_id: batch for batch in batches}
        latest: dict[str, FileRow] = {}
        loaded: dict[str, FileRow] = {}
        files: dict[int, list[FileRow]] = {}
        for row in sorted(rows, key=lambda row: row.generation):
            latest[row.key] = row
            if row.status == "loaded" and row.batch_id is not None:
                loaded[row.key] = row
                if row.batch_id in live:
                    files.setdefault(row.batch_id, []).append(row)
        return TableState(
            latest,
            {key: row for key, row in loaded.items() if row.batch_id in live},
            live,
            {batch: tuple(held) for batch, held in files.items()},
        )


class Ledger:
    """The ledger's statements over one connection. Who writes holds the transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def _name(self, table: str) -> str:
        return self._db.schemas.ledger(table).sql

    def state(self, source_table: str, bucket: str) -> TableState:
        """Read one table's state, for planning."""
        rows = self._db.fetch(
            "select object_key, generation, batch_id, etag, status, reason, detail "
            f"from {self._name('files')} where source_table = %s and bucket = %s",
            (source_table, bucket),
        )
        batches = self._db.fetch(
            f"select b.batch_id, b.export_key, b.version_at from {self._name('batches')} b "
            f"where b.source_table = %s and {self.is_live('b')}",
            (source_table,),
        )
        return TableState.of(
            (FileRow(*row) for row in rows), (LiveBatch(*batch) for batch in batches)
        )

    def is_live(self, alias: str) -> str:
        """Return the condition that the batch of a row of `alias` counts."""
        return (
            f"not exists (select 1 from {self._name('events')} e "
            f"where e.batch_id = {alias}.batch_id and e.event = 'superseded')"
        )

    def claim(self, batch: Batch, batch_id: int) -> None:
        """Insert a batch's files; their primary key excludes other loaders until the end."""
        files = [FileOutcome(file, "loaded") for file in batch.files]
        self.insert_files(batch.contract.name, batch.bucket, batch_id, files)

    def insert_files(
        self, source_table: str, bucket: str, batch_id: int | None, files: Iterable[FileOutcome]
    ) -> None:
        """Record files and their rejected rows, in key order."""
        outcomes = sorted(files, key=lambda outcome: outcome.file.object.key)
        self._db.execute_many(
            f"insert into {self._name('files')} (source_table, bucket, object_key, generation, "
            "etag, bytes, last_modified, batch_id, status, rows_read, rows_loaded, "
            "rows_rejected, reason, detail, version_id, recorded_at) "
            f"values ({', '.join(['%s'] * 15)}, {self._db.now})",
            (
                (source_table, bucket, *_identity(outcome.file), *_facts(outcome, batch_id))
                for outcome in outcomes
            ),
        )
        self._insert_rejected(source_table, bucket, outcomes)

    def settle(self, outcome: BatchOutcome, batch_id: int) -> None:
        """Write what became of the files that `claim` inserted; a moved one is forgotten."""
        batch = outcome.batch
        where = "where source_table = %s and bucket = %s and object_key = %s and generation = %s"
        place = (batch.contract.name, batch.bucket)
        self._db.execute_many(
            f"update {self._name('files')} set batch_id = %s, status = %s, rows_read = %s, "
            "rows_loaded = %s, rows_rejected = %s, reason = %s, detail = %s, version_id = %s "
            + where,
            (
                (*_facts(file, batch_id), *place, file.file.object.key, file.file.generation)
                for file in outcome.files
                if file.status != "moved"
            ),
        )
        self._db.execute_many(
            f"delete from {self._name('files')} {where}",
            (
                (*place, file.file.object.key, file.file.generation)
                for file in outcome.files
                if file.status == "moved"
            ),
        )
        self._insert_rejected(*place, outcome.files)

    def _insert_rejected(
        self, source_table: str, bucket: str, outcomes: Iterable[FileOutcome]
    ) -> None:
        values = [*["%s"] * 9, self._db.from_hex.format("%s"), self._db.now]
        self._db.execute_many(
            f"insert into {self._name('rejected_rows')} (source_table, bucket, object_key, "
            'generation, record_number, line_number, byte_offset, reason, detail, "raw", '
            f"recorded_at) values ({', '.join(values)})",
            (
                (
                    source_table,
                    bucket,
                    outcome.file.object.key,
                    outcome.file.generation,
                    row.record_number,
                    row.line_number,
                    row.byte_offset,
                    row.reason,
                    _bounded(row.detail),
                    row.raw[:MAX_RAW_BYTES].hex(),
                )
                for outcome in outcomes
                for row in outcome.rejected
            ),
        )

    def publish(self, outcome: BatchOutcome, batch_id: int, run_id: str, seconds: float) -> None:
        """Record the batch and its events: from the COMMIT on its rows count.

        `seconds` are those from the batch's beginning until now.
        """
        batch = outcome.batch
        rows_read = sum(file.rows_read for file in outcome.loaded)
        self._db.execute(
            f"insert into {self._name('batches')} (batch_id, source_table, mode, version_at, "
            "export_key, files, rows_loaded, rows_rejected, bytes, run_id, seconds, loaded_at) "
            f"values ({', '.join(['%s'] * 11)}, {self._db.now})",
            (
                batch_id,
                batch.contract.name,
                batch.contract.load.mode,
                batch.version_at,
                batch.export_key,
                len(outcome.loaded),
                outcome.rows_loaded,
                rows_read - outcome.rows_loaded,
                sum(file.file.object.bytes for file in outcome.loaded),
                run_id,
                f"{seconds:.3f}",
            ),
        )
        events = [(batch_id, "loaded")] + [(old, "superseded") for old in batch.supersedes]
        self._db.execute_many(
            f"insert into {self._name('events')} (event_id, batch_id, source_table, event, "
            f"recorded_at) values (%s, %s, %s, %s, {self._db.now})",
            ((self._db.new_id("event_id"), of, batch.contract.name, event) for of, event in events),
        )

    def earlier_rows(self, batch: Batch) -> int | None:
        """Return the rows of the newest live export before this one, or None if it is the first."""
        found = self._db.fetch(
            f"select b.rows_loaded from {self._name('batches')} b where b.source_table in (%s, %s) "
            f"and b.version_at < %s and {self.is_live('b')} "
            "order by b.version_at desc, b.export_key desc, b.batch_id desc limit 1",
            (*batch.contract.twins, batch.version_at),
        )
        return int(found[0][0]) if found else None

    def recorded(self, batch: Batch, run_id: str) -> BatchOutcome | None:
        """Return what became of the batch if this run has loaded it: the fate of a lost COMMIT."""
        outcomes: list[FileOutcome] = []
        batch_ids: set[int] = set()
        for file in batch.files:
            found = self._db.fetch(
                "select b.batch_id, b.run_id, f.status, f.rows_read, f.rows_loaded, f.reason, "
                f"f.detail, f.version_id from {self._name('files')} f "
                f"left join {self._name('batches')} b on b.batch_id = f.batch_id "
                "where f.source_table = %s and f.bucket = %s and f.object_key = %s "
                "and f.generation = %s",
                (batch.contract.name, batch.bucket, file.object.key, file.generation),
            )
            for batch_id, run, *facts in found:
                if batch_id is not None and run == run_id:
                    batch_ids.add(batch_id)
                outcomes.append(FileOutcome(file, *facts))
            if not found:
                outcomes.append(FileOutcome(file, "moved"))
        return BatchOutcome(batch, batch_ids.pop(), tuple(outcomes)) if batch_ids else None

    def start_run(self, run_id: str, command: str) -> None:
        """Say who is loading; advisory, commit it at once."""
        self._db.execute(
            f"insert into {self._name('runs')} (run_id, command, host, os_user, pid, started_at) "
            f"values (%s, %s, %s, %s, %s, {self._db.now})",
            (run_id, command, socket.gethostname(), _user(), os.getpid()),
        )

    def finish_run(self, run_id: str, outcome: str) -> None:
        """Say how the run ended."""
        self._db.execute(
            f"update {self._name('runs')} set finished_at = {self._db.now}, outcome = %s "
            "where run_id = %s",
            (outcome, run_id),
        )


def _identity(file: PlannedFile) -> tuple[object, ...]:
    staged = file.object
    return staged.key, file.generation, staged.etag, staged.bytes, staged.last_modified


def _facts(outcome: FileOutcome, batch_id: int | None) -> tuple[object, ...]:
    return (
        batch_id if outcome.status == "loaded" else None,
        outcome.status,
        outcome.rows_read,
        outcome.rows_loaded,
        outcome.rows_read - outcome.rows_loaded,
        outcome.reason,
        _bounded(outcome.detail or ""),
        outcome.version_id,
    )


def _bounded(detail: str) -> str | None:
    """Return the text in at most MAX_DETAIL_BYTES; neither engine stores a NUL."""
    text = detail.replace("\0", "\N{REPLACEMENT CHARACTER}").encode()[:MAX_DETAIL_BYTES]
    return text.decode(errors="ignore") or None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in containers
        return str(os.getuid())
