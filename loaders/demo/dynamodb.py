"""Exports of a DynamoDB table to S3 as AWS writes them, made from plain items.

Layout: "DynamoDB table export output format" in the Amazon DynamoDB Developer Guide. Items are
encoded by boto3's own serializer, so numbers are Decimal or int, binaries bytes, sets set.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from boto3.dynamodb.types import Binary, TypeSerializer

Item = Mapping[str, Any]
_serializer = TypeSerializer()


@dataclass(frozen=True)
class Change:
    """One key's change in the exported period: an image is None where the item was not there."""

    keys: Item
    written_at: datetime  # UTC, naive
    old: Item | None
    new: Item | None


def full_export(
    prefix: str, export_id: str, items: Sequence[Item], at: datetime, *, files: int = 1
) -> dict[str, bytes]:
    """Return the objects of a full export as of `at` (UTC, naive), by key."""
    records = [{"Item": _encoded(item)} for item in items]
    summary = {"exportTime": _time(at), "exportType": "FULL_EXPORT"}
    return _export(prefix, export_id, records, summary, files, f"{export_id}/data")


def incremental_export(
    prefix: str,
    export_id: str,
    changes: Sequence[Change],
    since: datetime,
    until: datetime,
    *,
    files: int = 1,
) -> dict[str, bytes]:
    """Return the objects of an incremental export with new and old images, by key."""
    records = []
    for change in changes:
        micros = round((change.written_at - datetime(1970, 1, 1)).total_seconds() * 10**6)
        record = {
            "Metadata": {"WriteTimestampMicros": {"N": str(micros)}},
            "Keys": _encoded(change.keys),
        }
        if change.old is not None:
            record["OldImage"] = _encoded(change.old)
        if change.new is not None:
            record["NewImage"] = _encoded(change.new)
        records.append(record)
    summary = {
        "exportFromTime": _time(since),
        "exportToTime": _time(until),
        "exportType": "INCREMENTAL_EXPORT",
        "outputView": "NEW_AND_OLD_IMAGES",
    }
    return _export(prefix, export_id, records, summary, files, "data")


def _export(
    prefix: str,
    export_id: str,
    records: Sequence[object],
    summary: Mapping[str, str],
    files: int,
    data: str,
) -> dict[str, bytes]:
    root = f"{prefix}AWSDynamoDB/"
    folder = f"{root}{export_id}/"
    objects: dict[str, bytes] = {f"{folder}_started": b""}
    lines = []
    for number in range(files):
        mine = [json.dumps(record, separators=(",", ":")) for record in records[number::files]]
        body = gzip.compress("".join(line + "\n" for line in mine).encode(), mtime=0)
        key = f"{root}{data}/{export_id}-{number:04d}.json.gz"
        objects[key] = body
        md5 = hashlib.md5(body, usedforsecurity=False)
        lines.append(
            {
                "itemCount": len(mine),
                "md5Checksum": base64.b64encode(md5.digest()).decode(),
                "etag": f"{md5.hexdigest()}-1",
                "dataFileS3Key": key,
            }
        )
    files_key = f"{folder}manifest-files.json"
    objects[files_key] = "".join(json.dumps(line) + "\n" for line in lines).encode()
    objects[f"{folder}manifest-summary.json"] = json.dumps(
        {
            "version": "2020-06-30",
            **summary,
            "s3Prefix": prefix.rstrip("/"),
            "manifestFilesS3Key": files_key,
            "itemCount": len(records),
            "outputFormat": "DYNAMODB_JSON",
        }
    ).encode()
    return objects


def _encoded(item: Item) -> dict[str, Any]:
    return {name: _json(_serializer.serialize(value)) for name, value in item.items()}


def _json(value: Any) -> Any:
    """Write binaries in base64, as DynamoDB JSON does."""
    if isinstance(value, bytes | Binary):
        return base64.b64encode(bytes(cast(bytes, value))).decode()
    if isinstance(value, dict):
        return {name: _json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    return value


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds") + "Z"
