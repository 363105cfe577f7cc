"""MongoDB Extended JSON (v2) as mongoexport writes it: one document a line, no blanks, UTF-8.

Source: "MongoDB Extended JSON (v2)" of the MongoDB Manual, and mongoexport's own behaviour. Its two
forms are `canonical`, which keeps every type, and `relaxed`, mongoexport's default.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ObjectId(str):
    """A document's id: 24 hexadecimal digits."""


class Long(int):
    """A 64-bit integer; a plain int is one of 32 bits."""


def export(documents: Iterable[Mapping[str, Any]], *, canonical: bool) -> bytes:
    r"""Return what mongoexport writes of a collection. Times are UTC, with zone.

    >>> export([{"_id": ObjectId("0" * 24), "n": 1, "big": Long(2)}], canonical=True)
    b'{"_id":{"$oid":"000000000000000000000000"},"n":{"$numberInt":"1"},"big":{"$numberLong":"2"}}\n'
    >>> export([{"n": 1, "big": Long(2), "exact": Decimal("0.10")}], canonical=False)
    b'{"n":1,"big":2,"exact":{"$numberDecimal":"0.10"}}\n'
    """
    lines = [
        json.dumps(_extended(document, canonical), ensure_ascii=False, separators=(",", ":"))
        for document in documents
    ]
    return "".join(line + "\n" for line in lines).encode()


def _extended(value: Any, canonical: bool) -> Any:
    match value:
        case ObjectId():
            return {"$oid": str(value)}
        case None | bool() | str():
            return value
        case int() if canonical:
            return {"$numberLong" if isinstance(value, Long) else "$numberInt": str(value)}
        case int():
            return value
        case Decimal():
            return {"$numberDecimal": str(value)}
        case datetime():
            return {"$date": _date(value, canonical)}
        case Mapping():
            return {name: _extended(item, canonical) for name, item in value.items()}
        case list():
            return [_extended(item, canonical) for item in value]
    raise TypeError(f"{value!r} is of no type that is written here")


def _date(value: datetime, canonical: bool) -> Any:
    milliseconds = (value - _EPOCH) // timedelta(milliseconds=1)
    if canonical or milliseconds < 0:
        return {"$numberLong": str(milliseconds)}
    text = (_EPOCH + timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "Z"
