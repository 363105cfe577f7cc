"""Refused files and records, as the ledger has them, and the way back: requeueing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loaders.errors import UsageError
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
class RejectedRow:
    """A refused record: where it stands in the decompressed file, and its first bytes."""

    source_table: str
    bucket: str
    key: str
    generation: int
    record_number: int
    line_number: int
    byte_offset: int
    reason: str
    detail: str
    raw: bytes
    recorded_at: datetime


def refused_files(db: Database, source_table: str | None = None) -> list[RefusedGeneration]:
    """Return the files whose last generation was refused, by table and key.

    The bucket is not listed: a file that was deleted or put back since is still here.
    """
    files = db.schemas.ledger("files").sql
    rows = db.fetch(
        "select f.source_table, f.bucket, f.object_key, f.generation, f.reason, f.detail, "
        f"f.recorded_at from {files} f where f.status = 'refused' "
        "and f.source_table = coalesce(%s, f.source_table) "
        f"and not exists (select 1 from {files} n where n.source_table = f.source_table "
        "and n.bucket = f.bucket and n.object_key = f.object_key "
        "and n.generation > f.generation) order by f.source_table, f.bucket, f.object_key",
        (source_table,),
    )
    return [RefusedGeneration(*row) for row in rows]


def rejected_rows(
    db: Database,
    source_table: str | None = None,
    key: str | None = None,
    limit: int | None = None,
) -> list[RejectedRow]:
    """Return refused records, the latest first."""
    rejected = db.schemas.ledger("rejected_rows").sql
    raw = db.to_hex.format('"raw"')
    rows = db.fetch(
        "select source_table, bucket, object_key, generation, record_number, line_number, "
        f"byte_offset, reason, detail, {raw}, recorded_at from {rejected} "
        "where source_table = coalesce(%s, source_table) and object_key = coalesce(%s, object_key) "
        "order by recorded_at desc, source_table, object_key, record_number "
        + (f"limit {limit:d}" if limit is not None else ""),
        (source_table, key),
    )
    return [RejectedRow(*row[:9], bytes.fromhex(row[9]), row[10]) for row in rows]


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
            raise UsageError(
                f"{source_table}: s3://{bucket}/{key} is not in the ledger; "
                "give the whole key, as `warehouse rejects` shows it"
            )
        found = db.fetch(
            f"select max(generation) from {files} "
            "where source_table = %s and bucket = %s and object_key = %s",
            (source_table, bucket, key),
        )
    return int(found[0][0])
