"""What the ledger knows: the state of each table, who is loading, the files behind a batch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loaders.errors import UsageError
from loaders.ledger import Ledger
from loaders.warehouse.database import Database

# ruff: noqa: S608  # only table names, quoted, are put into the statements


@dataclass(frozen=True)
class TableStatus:
    """A table's live batches."""

    source_table: str
    batches: int
    files: int
    rows: int
    bytes: int
    newest_export: datetime | None
    last_loaded_at: datetime | None


@dataclass(frozen=True)
class RunRecord:
    """A run of the loader; `outcome` is None while it runs, or if it was killed."""

    run_id: str
    command: str
    host: str
    os_user: str
    pid: int
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None


@dataclass(frozen=True)
class TracedFile:
    """A file of a batch and the content it had (ETag; version where the bucket keeps them)."""

    bucket: str
    key: str
    generation: int
    etag: str
    version_id: str | None
    bytes: int
    last_modified: datetime
    rows: int


@dataclass(frozen=True)
class BatchTrace:
    """Where the rows with one `_batch_id` come from, and whether they count."""

    batch_id: int
    source_table: str
    mode: str
    export_key: str | None
    version_at: datetime | None
    rows: int
    loaded_at: datetime
    run_id: str
    live: bool
    files: tuple[TracedFile, ...]


def table_status(db: Database) -> list[TableStatus]:
    """Return the status of every table with live batches, by name."""
    rows = db.fetch(
        "select b.source_table, count(*), sum(b.files), sum(b.rows_loaded), sum(b.bytes), "
        f"max(b.version_at), max(b.loaded_at) from {db.schemas.ledger('batches').sql} b "
        f"where {Ledger(db).is_live('b')} group by b.source_table order by b.source_table"
    )
    return [
        TableStatus(table, int(batches), int(files), int(n), int(size), newest, last)
        for table, batches, files, n, size, newest, last in rows
    ]


def recent_runs(db: Database, limit: int = 10) -> list[RunRecord]:
    """Return the latest runs, those without an end first."""
    rows = db.fetch(
        "select run_id, command, host, os_user, pid, started_at, finished_at, outcome "
        f"from {db.schemas.ledger('runs').sql} "
        "order by case when finished_at is null then 0 else 1 end, started_at desc limit %s",
        (limit,),
    )
    return [RunRecord(*row) for row in rows]


def trace_batch(db: Database, batch_id: int) -> BatchTrace:
    """Return the files behind a `_batch_id`. Raises UsageError for a number that was never one."""
    name = db.schemas.ledger
    live = Ledger(db).is_live("b")
    found = db.fetch(
        "select b.source_table, b.mode, b.export_key, b.version_at, b.rows_loaded, b.loaded_at, "
        f"b.run_id, {live} from {name('batches').sql} b where b.batch_id = %s",
        (batch_id,),
    )
    if not found:
        raise UsageError(f"there is no batch {batch_id}; take the value of a row's _batch_id")
    files = db.fetch(
        "select bucket, object_key, generation, etag, version_id, bytes, last_modified, "
        f"rows_loaded from {name('files').sql} where batch_id = %s "
        "order by bucket, object_key, generation",
        (batch_id,),
    )
    traced = tuple(TracedFile(*row) for row in files)
    return BatchTrace(batch_id, *(*found[0], traced))
