"""Refused files and records, as the ledger has them, and the ways back: requeueing.

A file that was loaded without some of its records is corrected by a second file that holds only
those: an object of its own, loaded once like any other, whose name says what it corrects.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from loaders.contracts import Contract
from loaders.errors import DataRefused, UsageError
from loaders.formats.faults import FileRefused
from loaders.formats.scanners import scanner_of
from loaders.ledger import Ledger
from loaders.staging.corrections import MARK, correction_key
from loaders.staging.objects import Staging
from loaders.warehouse.base import Warehouse
from loaders.warehouse.database import Database

# ruff: noqa: S608  # only table names, quoted, are put into the statements


@dataclass(frozen=True)
class RefusedGeneration:
    """A file whose last generation was refused."""

    source_table: str
    bucket: str
    key: str
    generation: int
    reason: str
    detail: str
    recorded_at: datetime


@dataclass(frozen=True)
class PartlyLoaded:
    """A file that was loaded without the records that were wrong.

    `corrected_by` is the key of the file with the corrected ones, if one was loaded.
    """

    source_table: str
    bucket: str
    key: str
    generation: int
    rows_loaded: int
    rows_rejected: int
    recorded_at: datetime
    corrected_by: str | None


@dataclass(frozen=True)
class RejectedRow:
    """A refused record: where it stands in the decompressed file, and its bytes.

    Of a refused file they may be the record's beginning only. `corrected_by` is the key of the
    file with the corrected record, if one was loaded.
    """

    source_table: str
    bucket: str
    key: str
    generation: int
    record_number: int
    line_number: int
    byte_offset: int
    reason: str
    detail: str
    recorded_at: datetime
    raw: bytes
    corrected_by: str | None


@dataclass(frozen=True)
class StagedCorrection:
    """An object that the next load takes: `rows` corrected records of `corrects`."""

    key: str
    corrects: str
    rows: int
    rejected: int


def refused_files(
    db: Database, source_table: str | None = None, key: str | None = None
) -> list[RefusedGeneration]:
    """Return the files whose last generation was refused, by table and key.

    The bucket is not listed: a file that was deleted or put back since is still here.
    """
    rows = db.fetch(
        "select f.source_table, f.bucket, f.object_key, f.generation, f.reason, f.detail, "
        f"f.recorded_at from {db.schemas.ledger('files').sql} f where f.status = 'refused' "
        f"and {_wanted_and_last(db)} order by f.source_table, f.bucket, f.object_key",
        (source_table, key),
    )
    return [RefusedGeneration(*row) for row in rows]


def partly_loaded_files(
    db: Database, source_table: str | None = None, key: str | None = None
) -> list[PartlyLoaded]:
    """Return the files whose last generation was loaded without some records, by table and key."""
    rows = db.fetch(
        "select f.source_table, f.bucket, f.object_key, f.generation, f.rows_loaded, "
        f"f.rows_rejected, f.recorded_at, f.etag from {db.schemas.ledger('files').sql} f "
        "where f.status = 'loaded' and f.rows_rejected > 0 "
        f"and {_wanted_and_last(db)} order by f.source_table, f.bucket, f.object_key",
        (source_table, key),
    )
    known = _corrections(db) if rows else set()
    return [PartlyLoaded(*[*row[:-1], _correction(known, row[:3], row[-1])]) for row in rows]


def rejected_rows(
    db: Database,
    source_table: str | None = None,
    key: str | None = None,
    limit: int | None = None,
) -> list[RejectedRow]:
    """Return refused records of the files' last generations, the latest first."""
    raw = db.to_hex.format('r."raw"')
    rows = db.fetch(
        "select f.source_table, f.bucket, f.object_key, f.generation, r.record_number, "
        f"r.line_number, r.byte_offset, r.reason, r.detail, r.recorded_at, {raw}, f.etag "
        f"from {db.schemas.ledger('rejected_rows').sql} r "
        f"inner join {db.schemas.ledger('files').sql} f on f.source_table = r.source_table "
        "and f.bucket = r.bucket and f.object_key = r.object_key and f.generation = r.generation "
        f"where {_wanted_and_last(db)} "
        "order by r.recorded_at desc, f.source_table, f.bucket, f.object_key, r.record_number "
        + (f"limit {limit:d}" if limit is not None else ""),
        (source_table, key),
    )
    known = _corrections(db) if rows else set()
    return [
        RejectedRow(*[*row[:-2], bytes.fromhex(row[-2]), _correction(known, row[:3], row[-1])])
        for row in rows
    ]


def _wanted_and_last(db: Database) -> str:
    """Return the condition on `f`, with parameters for table and key (None: any)."""
    return (
        "f.source_table = coalesce(%s, f.source_table) "
        f"and f.object_key = coalesce(%s, f.object_key) and {is_last_generation(db)}"
    )


def is_last_generation(db: Database) -> str:
    """Return the condition that a row `f` of the ledger's files is its object's last generation.

    A requeued file stands until the next load has looked at it again.
    """
    return (
        f"not exists (select 1 from {db.schemas.ledger('files').sql} n "
        "where n.source_table = f.source_table and n.bucket = f.bucket "
        "and n.object_key = f.object_key and n.generation > f.generation "
        "and n.status <> 'requeued')"
    )


def _corrections(db: Database) -> set[tuple[str, str, str]]:
    """Return (source table, bucket, key) of the corrections whose rows count."""
    rows = db.fetch(
        "select distinct f.source_table, f.bucket, f.object_key "
        f"from {db.schemas.ledger('files').sql} f "
        f"where f.status = 'loaded' and f.object_key like %s and {Ledger(db).is_live('f')}",
        (f"%{MARK}%",),
    )
    return {(str(table), str(bucket), str(key)) for table, bucket, key in rows}


def _correction(known: set[tuple[str, str, str]], place: tuple[Any, ...], etag: str) -> str | None:
    """Return the key of the correction of this content of (table, bucket, key), if it counts."""
    source_table, bucket, key = place
    correction = correction_key(key, etag)
    return correction if (source_table, bucket, correction) in known else None


def _last_generation(
    db: Database, source_table: str, bucket: str, key: str
) -> tuple[int, str, int, str] | None:
    """Return generation, status, rejected rows and ETag of what the ledger last has of a key."""
    found = db.fetch(
        "select generation, status, coalesce(rows_rejected, 0), etag "
        f"from {db.schemas.ledger('files').sql} "
        "where source_table = %s and bucket = %s and object_key = %s "
        "order by generation desc limit 1",
        (source_table, bucket, key),
    )
    if not found:
        return None
    generation, status, rejected, etag = found[0]
    return int(generation), str(status), int(rejected), str(etag)


def requeue(db: Warehouse, source_table: str, bucket: str, key: str) -> int:
    """Have the next load take the file again, whatever became of it; return the generation.

    What was loaded of it before stops counting when the new rows are in. Raises UsageError for
    a file that was never seen, ClaimedError when a loader records the same file at this moment.
    """
    files = db.schemas.ledger("files").sql
    columns = "source_table, bucket, object_key, generation, etag, bytes, last_modified, reason"
    with db.publishing():
        written = db.execute(
            f"insert into {files} ({columns}, status, recorded_at) "
            f"select {columns.replace('generation', 'generation + 1')}, "
            f"'requeued', {db.now} from {files} "
            "where source_table = %s and bucket = %s and object_key = %s "
            "order by generation desc limit 1",
            (source_table, bucket, key),
        )
        if not written:
            raise _unknown(source_table, bucket, key)
        found = _last_generation(db, source_table, bucket, key)
    assert found is not None  # noqa: S101 -- it was written above
    return found[0]


def requeue_rows(
    db: Database, staging: Staging, contract: Contract, key: str, corrected: Path
) -> StagedCorrection:
    """Stage the local file `corrected`, which holds only the corrected records of `key`.

    It has the form of the contract, header included, and may be gzip. The next load takes it,
    once; doing the same again before that changes nothing. Raises DataRefused when it is not in
    that form, UsageError when there is nothing to correct or it was corrected before.
    """
    found = _last_generation(db, contract.name, staging.bucket, key)
    if found is None:
        raise _unknown(contract.name, staging.bucket, key)
    generation, status, rejected, etag = found
    if status != "loaded" or not rejected:
        raise UsageError(
            f"{contract.name}: no rows of s3://{staging.bucket}/{key} were rejected: its last "
            f"generation, {generation}, is {status}; replace the object or requeue it whole"
        )
    target = correction_key(key, etag)
    if not fnmatchcase(target[len(staging.root + contract.load.path) :], contract.load.files):
        raise UsageError(
            f"{contract.name}: {target} would not be loaded: the contract's `files` is "
            f"{contract.load.files!r}; widen it"
        )
    if (contract.name, staging.bucket, target) in _corrections(db):
        raise UsageError(
            f"{contract.name}: the rejected rows of {key} were corrected by {target}; "
            "requeue that file whole to replace them"
        )
    rows = _checked(contract, corrected)
    if rows > rejected:
        raise UsageError(
            f"{corrected} holds {rows} rows, but {rejected} of {key} were rejected: "
            "give the corrected rows only"
        )
    with corrected.open("rb") as content:  # gzip or not: the loaders look at the bytes
        staging.upload(content, target)
    return StagedCorrection(target, key, rows, rejected)


def _unknown(source_table: str, bucket: str, key: str) -> UsageError:
    return UsageError(
        f"{source_table}: s3://{bucket}/{key} is not in the ledger; "
        "give the whole key, as `warehouse rejects` shows it"
    )


def _checked(contract: Contract, file: Path) -> int:
    """Return the number of records of a file that is wholly right."""
    try:
        with file.open("rb") as stream:
            scanner = scanner_of(stream, contract.form)
            for _ in scanner.chunks():
                pass
    except FileRefused as error:
        raise DataRefused(f"{file}: {error}; nothing was staged") from None
    return scanner.records
