"""Reading staged objects again, to show where in them a record stands."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from loaders.contracts import Contract
from loaders.formats.scanners import scanner_of
from loaders.staging.objects import MovedError, StagedObject, Staging

# The offset of a time as PostgreSQL writes it, to which staging adds the minutes.
_HOURS_ONLY = re.compile(r":\d\d(\.\d+)?[+-]\d\d$")


@dataclass(frozen=True)
class RecordPlace:
    """Where a record stands: counted from 1 behind the header, bytes from 0, decompressed.

    Rows of Parquet have neither line nor byte. A key may stand in several records; `counts` says
    whether this one has the values that were looked for.
    """

    bucket: str
    key: str
    record_number: int
    line_number: int | None
    byte_offset: int | None
    counts: bool = True


@dataclass(frozen=True)
class Reread:
    """The records with a key, and the objects that are not there any more as they were loaded."""

    places: tuple[RecordPlace, ...]
    gone: tuple[str, ...]


def find_records(
    contract: Contract,
    staging: Staging,
    objects: Iterable[StagedObject],
    source_key: str,
    values: Collection[str] = (),
) -> Reread:
    """Read the objects, each as it was loaded, for the records with a key.

    `source_key` is the contract's key as the source wrote it, with `|` between its parts; `values`
    are texts that stand in the one that counts, as staging reads them.
    Raises DataRefused when an object is not in the contract's form: the contract has changed.
    """
    places: list[RecordPlace] = []
    gone: list[str] = []
    for item in objects:
        try:
            places += _places(contract, staging, item, source_key, values)
        except MovedError:
            gone.append(item.key)
    if not any(place.counts for place in places):  # none has them all: they cannot tell
        places = [replace(place, counts=True) for place in places]
    return Reread(tuple(places), tuple(gone))


def _places(
    contract: Contract,
    staging: Staging,
    item: StagedObject,
    source_key: str,
    wanted: Collection[str],
) -> Iterator[RecordPlace]:
    names = contract.load.key
    with staging.open(item) as reader:
        scanner = scanner_of(reader, contract.form, contract.load.max_rejects)
        for record in scanner.located([column.name for column in contract.columns]):
            parts = [_text(record.values, name, contract.load.format) or "" for name in names]
            if "|".join(parts) == source_key:
                yield RecordPlace(
                    staging.bucket,
                    item.key,
                    record.record_number,
                    record.line_number,
                    record.byte_offset,
                    set(wanted) <= set(_texts(record.values)),
                )


def _text(values: Mapping[str, Any], name: str, format_name: str) -> str | None:
    """Return the value of a column, or at a place of a document, as staging reads it."""
    value: Any = values
    for part in name.split(".") if format_name == "json" else [name]:
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return str(value).lower()
    return value.strip(" ") if isinstance(value, str) else None  # as SQL trims


def _texts(value: object) -> Iterator[str]:
    """Yield every text and number in a record, as staging reads them."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif isinstance(value, str):
        yield value.strip(" ")
        if _HOURS_ONLY.search(value):
            yield f"{value}00"
