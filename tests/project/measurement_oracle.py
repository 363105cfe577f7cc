"""What the marts must hold after any history of loads, in plain Python.

Shares no code with the product: it reads the staged rows as dictionaries and knows the rules of
the design, nothing of SQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Any

RawRow = Mapping[str, str]
Version = tuple[str, bool, datetime, datetime]  # name, is_deleted, valid_from, valid_to

BEGINNING = datetime(1, 1, 1)
END = datetime(9999, 12, 31)
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2039, 12, 31)
LIMITS = {
    "temperature": (Decimal(-50), Decimal(100)),
    "pressure": (Decimal(0), Decimal(2000)),
    "humidity": (Decimal(0), Decimal(105)),
}
UNITS = {
    ("temperature", "degC"): lambda v: v,
    ("temperature", "degF"): lambda v: (v - 32) * 5 / 9,
    ("pressure", "hPa"): lambda v: v,
    ("pressure", "kPa"): lambda v: v * 10,
    ("humidity", "%"): lambda v: v,
}


@dataclass
class Expected:
    """The marts as sets of plain rows."""

    facts: set[tuple[Any, ...]] = field(default_factory=set)
    quarantined: set[tuple[Any, ...]] = field(default_factory=set)
    days: set[tuple[Any, ...]] = field(default_factory=set)
    months: set[tuple[Any, ...]] = field(default_factory=set)
    versions: set[tuple[Any, ...]] = field(default_factory=set)
    superseded: int = 0


def expect(rows: Iterable[RawRow], exports: Mapping[datetime, Mapping[str, str]]) -> Expected:
    """Compute the marts from all raw rows that count and all exports (time -> id -> name)."""
    expected = Expected()
    versions = {key: _versions(key, exports) for key in {k for e in exports.values() for k in e}}
    for key, history in versions.items():
        expected.versions |= {(key, *version) for version in history}
    newest: dict[object, RawRow] = {}
    total = 0
    for row in rows:
        total += 1
        identity: object = row["measurement_id"] or tuple(sorted(row.items()))
        held = newest.get(identity)
        if held is None or row["updated_at"] > held["updated_at"]:
            newest[identity] = row
    expected.superseded = total - len(newest)
    groups: dict[tuple[str, date], list[Decimal]] = defaultdict(list)
    for row in newest.values():
        values, reasons = _checked(row)
        if reasons:
            expected.quarantined.add((row["measurement_id"] or None, ",".join(reasons)))
            continue
        measured_at = _time(row["measured_at"])
        assert measured_at is not None
        names = [v for v in versions.get(row["experiment_id"], []) if v[2] <= measured_at < v[3]]
        expected.facts.add(
            (
                row["measurement_id"],
                row["experiment_id"],
                names[0][0] if names else "(unknown)",
                measured_at,
                values["temperature"],
                values["pressure"],
                values["humidity"],
            )
        )
        group = groups[row["experiment_id"], measured_at.date()]
        if values["temperature"] is not None:
            group.append(values["temperature"])
    for (experiment, day), temperatures in groups.items():
        expected.days.add((experiment, day, *_parts(temperatures)))
    expected.months = _months(groups, versions)
    return expected


def _months(
    groups: Mapping[tuple[str, date], list[Decimal]], versions: Mapping[str, list[Version]]
) -> set[tuple[Any, ...]]:
    merged: dict[tuple[str, date], list[Decimal]] = defaultdict(list)
    for (experiment, day), temperatures in groups.items():
        merged[experiment, day.replace(day=1)] += temperatures
    months = set()
    for (experiment, month), values in merged.items():
        if not values:
            continue
        history = versions.get(experiment)
        name = history[-1][0] if history else experiment
        with localcontext() as context:
            context.prec = 50
            mean = sum(values, Decimal(0)) / len(values)
            squares = sum(((value - mean) ** 2 for value in values), Decimal(0))
            spread = (squares / (len(values) - 1)).sqrt() if len(values) > 1 else None
            months.add(
                (
                    experiment,
                    name,
                    month,
                    _rounded(mean, 6),
                    min(values),
                    max(values),
                    None if spread is None else _rounded(spread, 6),
                    len(values),
                )
            )
    return months


def _parts(values: list[Decimal]) -> tuple[Any, ...]:
    if not values:
        return (0, None, None, None, None)
    squares = sum((value * value for value in values), Decimal(0))
    return (len(values), sum(values, Decimal(0)), squares, min(values), max(values))


def _versions(key: str, exports: Mapping[datetime, Mapping[str, str]]) -> list[Version]:
    """Replay the exports in the order of their times; a missing key is a deletion."""
    history: list[tuple[datetime, str, bool]] = []
    for time in sorted(exports):
        name = exports[time].get(key)
        if name is not None and (not history or history[-1][1:] != (name, False)):
            history.append((time, name, False))
        elif name is None and history and not history[-1][2]:
            history.append((time, history[-1][1], True))
    starts = [BEGINNING, *(time for time, _, _ in history[1:])]
    ends = [*(time for time, _, _ in history[1:]), END]
    return [
        (name, deleted, start, end)
        for (_, name, deleted), start, end in zip(history, starts, ends, strict=True)
    ]


def _checked(row: RawRow) -> tuple[dict[str, Decimal | None], list[str]]:
    reasons = [f"missing_{key}" for key in ("measurement_id", "experiment_id") if not row[key]]
    for key in ("measured_at", "updated_at"):
        time = _time(row[key])
        if not row[key]:
            reasons.append(f"missing_{key}")
        elif time is None:
            reasons.append(f"invalid_{key}")
        elif key == "measured_at" and not FIRST_DAY <= time.date() <= LAST_DAY:
            reasons.append("measured_at_out_of_range")
    values: dict[str, Decimal | None] = {}
    for quantity, (low, high) in LIMITS.items():
        values[quantity] = None
        if not row[quantity]:
            continue
        convert = UNITS.get((quantity, row[f"{quantity}_unit"]))
        try:
            number = Decimal(row[quantity])
        except InvalidOperation:
            reasons.append(f"invalid_{quantity}")
            continue
        if convert is None:
            reasons.append(f"unknown_{quantity}_unit")
            continue
        values[quantity] = _rounded(convert(number), 4)
        if not low <= values[quantity] <= high:  # type: ignore[operator]
            reasons.append(f"{quantity}_out_of_range")
    if not any(row[quantity] for quantity in LIMITS):
        reasons.append("no_quantity")
    return values, reasons


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
