"""Objects as Amazon Data Firehose delivers a stream to S3, made from plain records.

Layout: "Configure Amazon S3 object name format" in the Amazon Data Firehose Developer Guide. A
record is put behind the one before as the producer sent it, so JSON objects have nothing between
them unless the producer or the delivery stream adds line ends.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from loaders.demo.nycflights13 import StagedObject

VERSION = 1  # of the delivery stream; it counts its changes


def delivery(
    prefix: str,
    name: str,
    at: datetime,
    records: Sequence[Mapping[str, Any]],
    *,
    line_ends: bool = False,
    tail: bytes = b"",
) -> StagedObject:
    """Return the object that the delivery stream `name` writes at `at` (UTC, naive), as gzip.

    Numbers may be Decimal; they are written with all their digits. `tail` follows the records as
    it is.
    """
    between = b"\n" if line_ends else b""
    body = b"".join(_json(record).encode() + between for record in records) + tail
    # Firehose's is random; this one is known by what is delivered.
    unique = uuid.uuid5(uuid.NAMESPACE_OID, f"{prefix}{name}{at.isoformat()}{body!r}")
    key = f"{prefix}{at:%Y/%m/%d/%H}/{name}-{VERSION}-{at:%Y-%m-%d-%H-%M-%S}-{unique}.gz"
    return StagedObject(key, gzip.compress(body, mtime=0))


def _json(value: Any) -> str:
    """Write JSON as a sensor does: compact. json.dumps would write Decimal as a text or a float."""
    match value:
        case Mapping():
            return "{" + ",".join(f"{json.dumps(k)}:{_json(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_json, value)) + "]"
        case Decimal():
            return f"{value:f}"
        case _:
            return json.dumps(value, ensure_ascii=False)
