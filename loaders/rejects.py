"""Refused files and records, as the ledger has them, and the ways back: requeueing.

A file that was loaded without some of its records is corrected by a second file that holds only
those: an object of its own, loaded once like any other, whose name says what it corrects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from loaders.contracts import Contract
from loaders.errors import DataRefused, UsageError
from loaders.formats.faults import FileRefused
from loaders.formats.scanners import scanner_of
from loaders.staging.objects import Staging
from loaders.warehouse.database import Database

# ruff: noqa: S608  # only table names, quoted, are put into the statements

_MARK = ".rows-"  # in the name of a file that corrects another


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
        f"f.rows_rejected, f.recorded_at from {db.schemas.ledger('files').sql} f "
        "where f.status = 'loaded' and f.rows_rejected > 0 "
        f"and {_wanted_and_last(db)} order by f.source_table, f.bucket, f.object_key",
        (source_table, key),
    )
    known = _corrected(db) if rows else set()
    return [PartlyLoaded(*[*row, _correction(known, row)]) for row in rows]


def rejected_rows(
    db: Database,
    source_table: str | None = None,
    key: str | None = None,
    limit: int | None = None,
) -> list[RejectedRow]:
    """Return refused records of the files' last generations, the latest first."""
    raw = db.to_hex.format('f."raw"')
    rows = db.fetch(
        "select f.source_table, f.bucket, f.object_key, f.generation, f.record_number, "
        f"f.line_number, f.byte_offset, f.reason, f.detail, f.recorded_at, {raw} "
        f"from {db.schemas.ledger('rejected_rows').sql} f "
        f"where {_wanted_and_last(db)} "
        "order by f.recorded_at desc, f.source_table, f.bucket, f.object_key, f.record_number "
        + (f"limit {limit:d}" if limit is not None else ""),
        (source_table, key),
    )
    known = _corrected(db) if rows else set()
    return [
        RejectedRow(*[*row[:-1], bytes.fromhex(row[-1]), _correction(known, row)]) for row in rows
    ]


def _wanted_and_last(db: Database) -> str:
    """Return the condition on `f`, with parameters for table and key (None: any)."""
    return (
        "f.source_table = coalesce(%s, f.source_table) "
        "and f.object_key = coalesce(%s, f.object_key) "
        f"and not exists (select 1 from {db.schemas.ledger('files').sql} n "
        "where n.source_table = f.source_table and n.bucket = f.bucket "
        "and n.object_key = f.object_key and n.generation > f.generation)"
    )


def _corrected(db: Database) -> set[tuple[str, str, str]]:
    """Return (source table, bucket, key) of the loaded files that correct others."""
    rows = db.fetch(
        f"select distinct source_table, bucket, object_key from {db.schemas.ledger('files').sql} "
        "where status = 'loaded' and object_key like %s",
        (f"%{_MARK}%",),
    )
    return {(str(table), str(bucket), str(key)) for table, bucket, key in rows}


def _correction(known: set[tuple[str, str, str]], generation: Sequence[Any]) -> str | None:
    """Return the key of the correction of (source table, bucket, key, generation, …), if known."""
    table, bucket, key, number = generation[:4]
    correction = correction_key(key, number)
    return correction if (table, bucket, correction) in known else None


def _last_generation(
    db: Database, source_table: str, bucket: str, key: str
) -> tuple[int, str, int] | None:
    """Return generation, status and rejected rows of what the ledger last has of a key."""
    found = db.fetch(
        "select generation, status, coalesce(rows_rejected, 0) "
        f"from {db.schemas.ledger('files').sql} "
        "where source_table = %s and bucket = %s and object_key = %s "
        "order by generation desc limit 1",
        (source_table, bucket, key),
    )
    return (int(found[0][0]), str(found[0][1]), int(found[0][2])) if found else None


def requeue(db: Database, source_table: str, bucket: str, key: str) -> int:
    """Have the next load take the file again, whatever became of it; return the generation.

    What was loaded of it before stops counting when the new rows are in. Raises UsageError for
    a file that was never seen, ClaimedError when a loader records the same file at this moment.
    """
    files = db.schemas.ledger("files").sql
    columns = "source_table, bucket, object_key, generation, etag, bytes, last_modified"
    with db.transaction():
        written = db.execute(
            f"insert into {files} ({columns}, status, recorded_at) "
            f"select source_table, bucket, object_key, generation + 1, etag, bytes, last_modified, "
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


def correction_key(key: str, generation: int) -> str:
    """Return the key of the file with the corrected records of one generation.

    >>> correction_key("lab/2013-01.csv.gz", 1)
    'lab/2013-01.rows-1.csv.gz'
    """
    folder, slash, name = key.rpartition("/")
    stem, dot, extension = name.partition(".")
    return f"{folder}{slash}{stem}{_MARK}{generation}{dot}{extension}"


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
    generation, status, rejected = found
    if status != "loaded" or not rejected:
        raise UsageError(
            f"{contract.name}: no rows of s3://{staging.bucket}/{key} were rejected: its last "
            f"generation, {generation}, is {status}; replace the object or requeue it whole"
        )
    target = correction_key(key, generation)
    if not fnmatchcase(target[len(staging.root + contract.load.path) :], contract.load.files):
        raise UsageError(
            f"{contract.name}: {target} would not be loaded: the contract's `files` is "
            f"{contract.load.files!r}; widen it"
        )
    if (contract.name, staging.bucket, target) in _corrected(db):
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
