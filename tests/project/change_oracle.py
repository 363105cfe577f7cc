"""What change data means, in plain Python: state and history as functions of the set of changes.

Shares no code with the product. Of the changes of a key the sequence decides which is newer; ties
are broken by commit time, deletions last, and then by a hash of the content.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from tests.project.dimension_oracle import (
    BEGINNING,
    END,
    UNKNOWN,
    UNKNOWN_KEY,
    Version,
    hash_60_bits,
)

Row = dict[str, Any]
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?"
)
_NUMBER = re.compile(r"[+-]?(\d{1,9}(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)


@dataclass(frozen=True)
class Change:
    """A change of a key that can be placed; `reasons` make it unfit all the same."""

    key: str
    operation: str
    sequence: str
    at: datetime
    values: Mapping[str, Any]
    row_hash: int
    content: str  # of the whole row, with lengths: what makes two rows the same
    source_row: str
    reasons: tuple[str, ...] = ()

    @property
    def rank(self) -> tuple[str, datetime, bool, int]:
        """Where it stands among the changes of its key."""
        return self.sequence, self.at, self.operation == "D", self.row_hash


def with_lengths(texts: Iterable[str | None]) -> str:
    """Return a text that no other values give."""
    return "".join("~" if text is None else f"{len(text)}:{text}" for text in texts)


def newest(changes: Iterable[Change]) -> dict[str, Change]:
    """Return the newest change of each key, deletions among them."""
    found: dict[str, Change] = {}
    for change in changes:
        if change.key not in found or found[change.key].rank < change.rank:
            found[change.key] = change
    return found


def histories(changes: Iterable[Change]) -> dict[str, list[Version]]:
    """Return the versions of each key, oldest first. Unfit changes take no part."""
    by_key: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        if not change.reasons:
            by_key[change.key].append(change)
    return {
        key: _versions(key, sorted(known, key=lambda c: c.rank)) for key, known in by_key.items()
    }


def _versions(key: str, changes: Sequence[Change]) -> list[Version]:
    states: list[tuple[datetime, Change]] = []  # the state after each change
    for number, change in enumerate(changes):
        if number and change.rank == changes[number - 1].rank:
            continue  # the same change again
        later = states[-1][0] + timedelta(microseconds=1) if states else change.at
        states.append((max(change.at, later), change))
    kept: list[tuple[datetime, bool, Change]] = []
    for at, change in states:
        is_deleted = change.operation == "D"
        if not kept:
            kept.append((at, is_deleted, change))
            continue
        _, was_deleted, before = kept[-1]
        if is_deleted and was_deleted:
            continue
        if is_deleted != was_deleted or change.row_hash != before.row_hash:
            kept.append((at, is_deleted, before if is_deleted else change))
    starts = [BEGINNING, *(at for at, _, _ in kept[1:])]
    ends = [*starts[1:], END]
    return [
        Version(key, change.values, is_deleted, at, start, end)
        for (at, is_deleted, change), start, end in zip(kept, starts, ends, strict=True)
    ]


def dimension_rows(
    versions: Mapping[str, Sequence[Version]],
    entity: str,
    names: Sequence[str],
    current: Sequence[str],
) -> list[Row]:
    """Return the rows of the dimension, the unknown member among them."""
    rows = [
        {
            f"{entity}_key": version.key,
            f"{entity}_id": version.natural_key,
            **{name: version.attributes[name] for name in names},
            **{f"current_{name}": known[-1].attributes[name] for name in current},
            "is_deleted": version.is_deleted,
            "is_current": version.valid_to == END,
            "valid_from": version.valid_from,
            "valid_to": version.valid_to,
        }
        for known in versions.values()
        for version in known
    ]
    unknown: Row = dict.fromkeys([*names, *(f"current_{name}" for name in current)])
    unknown |= {
        name: UNKNOWN for name in (f"{entity}_name", f"current_{entity}_name") if name in unknown
    }
    unknown |= {
        f"{entity}_key": UNKNOWN_KEY, f"{entity}_id": UNKNOWN, "is_deleted": False,
        "is_current": True, "valid_from": BEGINNING, "valid_to": BEGINNING,
    }  # fmt: skip
    return [*rows, unknown]


def time_of(text: str | None) -> datetime | None:
    """Return the time of a text in the stated form, UTC."""
    if text is None or not _TIME.fullmatch(text):
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, OverflowError):
        return None


def number_of(text: str | None) -> Decimal | None:
    """Return the number of a text in the stated form, cut after eight decimals."""
    if text is None or not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    if abs(number) >= 999_999_999:
        return None
    return number.quantize(Decimal("1e-8"), rounding=ROUND_DOWN)


def key_of(text: str) -> int:
    """Return the surrogate key of a text."""
    return hash_60_bits(text)
