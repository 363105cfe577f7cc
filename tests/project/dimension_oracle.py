"""The versions of experiments and locations: every export replayed in the order of its own time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

BEGINNING = datetime(1, 1, 1)
END = datetime(9999, 12, 31)
UNKNOWN_KEY = -1
UNKNOWN = "(unknown)"
Row = dict[str, Any]

EXPERIMENT = (
    "experiment_name", "description", "researcher_id", "department", "start_date", "end_date",
    "status", "metadata",
)  # fmt: skip
LOCATION = ("location_name", "latitude", "longitude", "elevation_m", "country", "timezone")
DATES = {"start_date", "end_date"}
NUMBERS = {"latitude", "longitude", "elevation_m"}


@dataclass(frozen=True)
class Export:
    """A full copy of a dimension as of `time`; of two as of one time the last key counts."""

    time: datetime
    key: str
    rows: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Version:
    """What held of one dimension row from `valid_from` until `valid_to`; `brought` by an export."""

    natural_key: str
    attributes: Mapping[str, Any]
    is_deleted: bool
    brought: datetime
    valid_from: datetime
    valid_to: datetime

    @property
    def key(self) -> int:
        """The surrogate key: a function of natural key and start."""
        start = (self.valid_from - datetime(1970, 1, 1)) // timedelta(microseconds=1)
        return hash_60_bits(f"{self.natural_key}|{start}")


def hash_60_bits(text: str) -> int:
    """Return the first 60 bits of the text's md5."""
    return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:15], 16)


def text_or_none(text: str, null_text: str = "") -> str | None:
    """Return a field without blanks around it, None when it is empty or says that it is null."""
    stripped = text.strip(" ")
    return None if stripped in ("", null_text) else stripped


def counting(exports: Sequence[Export]) -> list[Export]:
    """Return the export that counts for each time, oldest first."""
    last: dict[datetime, Export] = {}
    for export in sorted(exports, key=lambda export: export.key):
        last[export.time] = export
    return [last[time] for time in sorted(last)]


def history(exports: Sequence[Export], natural_key: str) -> dict[str, list[Version]]:
    """Return the versions of each natural key, oldest first; a missing key is a deletion."""
    changes: dict[str, list[tuple[datetime, Mapping[str, Any], bool]]] = {}
    for export in counting(exports):
        found = {row[natural_key]: _attributes(row, natural_key) for row in export.rows}
        for key, attributes in found.items():
            known = changes.setdefault(key, [])
            if not known or known[-1][1:] != (attributes, False):
                known.append((export.time, attributes, False))
        for key, known in changes.items():
            if key not in found and not known[-1][2]:
                known.append((export.time, known[-1][1], True))
    return {key: _versions(key, known) for key, known in changes.items()}


def _versions(
    key: str, changes: Sequence[tuple[datetime, Mapping[str, Any], bool]]
) -> list[Version]:
    starts = [BEGINNING, *(time for time, _, _ in changes[1:])]
    ends = [*starts[1:], END]
    return [
        Version(key, attributes, is_deleted, brought, start, end)
        for (brought, attributes, is_deleted), start, end in zip(changes, starts, ends, strict=True)
    ]


def _attributes(row: Mapping[str, str], natural_key: str) -> dict[str, Any]:
    names = EXPERIMENT if natural_key == "experiment_id" else LOCATION
    return {name: _typed(name, text_or_none(row[name])) for name in names}


def _typed(name: str, text: str | None) -> object:
    try:
        if text is not None and name in DATES:
            return date.fromisoformat(text)
        if text is not None and name in NUMBERS:
            return Decimal(text)
    except (ValueError, InvalidOperation):
        return None
    return text


def valid_at(versions: Sequence[Version], time: datetime) -> Version | None:
    """Return the version of that time."""
    found = [version for version in versions if version.valid_from <= time < version.valid_to]
    return found[0] if found else None


def current_names(versions: Mapping[str, Sequence[Version]], name: str) -> dict[str, str]:
    """Return an attribute of each natural key as it is now."""
    return {key: known[-1].attributes[name] for key, known in versions.items()}


def snapshot_rows(versions: Mapping[str, Sequence[Version]], natural_key: str) -> list[Row]:
    """Return the rows of a dbt snapshot, whose first version starts with its export."""
    return [
        {
            natural_key: version.natural_key,
            **version.attributes,
            "is_deleted": version.is_deleted,
            "exported_at": version.brought,
            "dbt_valid_from": version.brought,
            "dbt_valid_to": version.valid_to,
        }
        for known in versions.values()
        for version in known
    ]


def experiment_rows(
    versions: Mapping[str, Sequence[Version]], researchers: Sequence[Export]
) -> list[Row]:
    """Return dim_experiments; the researcher's name is as it is now."""
    newest = counting(researchers)[-1:]
    names = {
        row["researcher_id"]: text_or_none(row["researcher_name"])
        for export in newest
        for row in export.rows
    }
    rows = _rows(versions, "experiment", EXPERIMENT, ("experiment_name", "status"))
    return [row | {"researcher_name": names.get(row["researcher_id"])} for row in rows]


def location_rows(versions: Mapping[str, Sequence[Version]]) -> list[Row]:
    """Return dim_locations."""
    return _rows(versions, "location", LOCATION, ("location_name",))


def _rows(
    versions: Mapping[str, Sequence[Version]],
    entity: str,
    names: Sequence[str],
    current: Sequence[str],
) -> list[Row]:
    rows = [
        {
            f"{entity}_key": version.key,
            f"{entity}_id": version.natural_key,
            **version.attributes,
            **{f"current_{name}": known[-1].attributes[name] for name in current},
            "is_deleted": version.is_deleted,
            "is_current": version.valid_to == END,
            "valid_from": version.valid_from,
            "valid_to": version.valid_to,
        }
        for known in versions.values()
        for version in known
    ]
    unknown: dict[str, Any] = dict.fromkeys([*names, *(f"current_{name}" for name in current)])
    unknown |= {
        f"{entity}_key": UNKNOWN_KEY,
        f"{entity}_id": UNKNOWN,
        f"{entity}_name": UNKNOWN,
        f"current_{entity}_name": UNKNOWN,
        "is_deleted": False,
        "is_current": True,
        "valid_from": BEGINNING,
        "valid_to": BEGINNING,
    }
    return [*rows, unknown]
