"""What staged exports and Firehose objects say of sensors, in plain Python: readings, copy by copy.

Shares no code with the product: DynamoDB's types are read by boto3's deserializer.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

EPOCH = datetime(1970, 1, 1)
BYTES = {"sensor_id": 36, "experiment_id": 36, "timestamp": 40}
NUMBER_BYTES = 64
FIELDS = ("sensor_id", "experiment_id", "timestamp", "temperature", "humidity", "pressure",
          "latitude", "longitude")  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """One copy of a reading. `rank` 1 is the table's own, 2 was sent, 3 is expired."""

    source_system: str
    fields: Mapping[str, str | None]
    rank: int
    withdrawn: str | None = None
    written_at: datetime | None = None
    written_text: str | None = None


def readings(objects: Iterable[tuple[str, bytes]]) -> list[Reading]:
    """Return every copy in the staged objects (key, bytes), of complete exports only."""
    staged = dict(objects)
    found: list[Reading] = []
    for key, body in staged.items():
        if key.endswith("manifest-summary.json"):
            found += _exported(json.loads(body), staged)
        elif key.startswith("stream/"):
            found += map(_sent, _documents(gzip.decompress(body)))
    return found


def _exported(summary: Mapping[str, Any], staged: Mapping[str, bytes]) -> Iterator[Reading]:
    lines = staged[summary["manifestFilesS3Key"]].splitlines()
    for line in lines:
        for text in gzip.decompress(staged[json.loads(line)["dataFileS3Key"]]).splitlines():
            entry = json.loads(text)
            if summary["exportType"] == "FULL_EXPORT":
                time = datetime.fromisoformat(summary["exportTime"]).replace(tzinfo=None)
                yield _copy(entry["Item"], time)
            else:
                yield _changed(entry)


def _changed(entry: Mapping[str, Any]) -> Reading:
    text = entry["Metadata"]["WriteTimestampMicros"]["N"]
    written_at = EPOCH + timedelta(microseconds=int(text))
    image = entry.get("NewImage", entry.get("OldImage", entry["Keys"]))
    return _copy(image, written_at, text, deleted="NewImage" not in entry)


def _copy(
    item: Mapping[str, Any], time: datetime, text: str | None = None, *, deleted: bool = False
) -> Reading:
    place = item.get("location", {}).get("M", {})
    values = {name: _scalar((item | place).get(name, {})) for name in FIELDS}
    ttl = _scalar(item.get("ttl", {})) or ""
    ends = int(ttl) if ttl.isdigit() else None
    expired = ends is not None and EPOCH + timedelta(seconds=ends) <= time
    withdrawn = "expired" if expired else "deleted_at_source" if deleted else None
    return Reading("sensors", _bounded(values), 3 if expired else 1, withdrawn, time, text)


def _scalar(value: Mapping[str, Any]) -> str | None:
    """Return an attribute value of DynamoDB JSON as text."""
    ((kind, held),) = value.items() if value else (("NULL", True),)
    match kind:
        case "S" | "N":
            return str(held)
        case "BOOL":
            return "true" if held else "false"
        case "B":
            return base64.b64encode(base64.b64decode(held)).decode()
        case _:
            return None


def _documents(body: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a file; nothing of one that is cut off."""
    decoder = json.JSONDecoder(parse_float=str, parse_int=str)
    text = body.decode().lstrip()
    while text:
        try:
            document, end = decoder.raw_decode(text)
        except ValueError:
            return
        yield document
        text = text[end:].lstrip()


def _sent(document: Mapping[str, Any]) -> Reading:
    place = document.get("location")
    values = {**document, **(place if isinstance(place, dict) else {})}
    texts = {name: _text(values.get(name)) for name in FIELDS}
    return Reading("stream", _bounded(texts), 2)


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else None


def _bounded(texts: Mapping[str, str | None]) -> dict[str, str | None]:
    return {
        name: text.strip(" ") or None
        if text is not None and len(text.encode()) <= BYTES.get(name, NUMBER_BYTES)
        else None
        for name, text in texts.items()
    }


def decimal_8(text: str | None) -> Decimal | None:
    """Return a number cut to eight decimals, as it is stored; None where it is none."""
    try:
        number = Decimal(text or "")
    except ArithmeticError:
        return None
    if not number.is_finite() or abs(number) >= 999_999_999:
        return None
    return Decimal(int(number * 10**8)).scaleb(-8) + 0
