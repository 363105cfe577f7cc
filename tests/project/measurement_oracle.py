"""What the marts must hold, in plain Python, as a function of the set of accepted objects.

Shares no code with the product: it knows staged rows as dictionaries and the rules of the design,
nothing of SQL. Neither order nor grouping of the loads is among its arguments, so whatever equals
it is independent of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Any

from tests.project.anomaly_oracle import anomalies
from tests.project.dimension_oracle import (
    UNKNOWN,
    UNKNOWN_KEY,
    Export,
    Version,
    current_names,
    experiment_rows,
    hash_60_bits,
    history,
    location_rows,
    snapshot_rows,
    text_or_none,
    valid_at,
)
from tests.project.sensor_oracle import Reading, decimal_8

Row = dict[str, Any]
Marts = dict[str, list[Row]]

FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2039, 12, 31)
EPOCH = datetime(1970, 1, 1)
LIMITS = {
    "temperature": (Decimal(-50), Decimal(100)),
    "pressure": (Decimal(0), Decimal(2000)),
    "humidity": (Decimal(0), Decimal(105)),
}
USUAL = {
    "temperature": (Decimal(-45), Decimal(50)),
    "pressure": (Decimal(500), Decimal(1100)),
    "humidity": (Decimal(1), Decimal(100)),
}
UNITS: dict[tuple[str, str | None], Callable[[Decimal], Decimal]] = {
    ("temperature", "degC"): lambda v: v,
    ("temperature", "degF"): lambda v: (v - 32) * 5 / 9,
    ("pressure", "hPa"): lambda v: v,
    ("pressure", "kPa"): lambda v: v * 10,
    ("humidity", "%"): lambda v: v,
}
# In this order they make up the text that tells two versions of a measurement apart.
FIELDS = (
    "measurement_id", "experiment_id", "location_id", "measured_at", "updated_at", "temperature",
    "temperature_unit", "humidity", "humidity_unit", "pressure", "pressure_unit",
)  # fmt: skip


@dataclass(frozen=True)
class Accepted:
    """All that counts: rows of measurements, and per dimension its exports."""

    measurements: Sequence[Mapping[str, str]]
    experiments: Sequence[Export]
    locations: Sequence[Export]
    researchers: Sequence[Export]
    readings: Sequence[Reading] = ()


@dataclass(frozen=True)
class Copy:
    """What one staged row says of a measurement; `text` tells it from other copies."""

    source_system: str
    identity: str
    fields: Mapping[str, str | None]
    text: str
    rank: int
    updated_at: datetime | None
    withdrawn: str | None = None


@dataclass
class Measurement:
    """The copy of a measurement that counts, judged."""

    source_system: str
    fields: Mapping[str, str | None]
    key: int
    measured_at: datetime | None
    values: dict[str, Decimal | None] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    @property
    def day(self) -> date:
        """The UTC day of a measurement that is a fact."""
        assert self.measured_at is not None
        return self.measured_at.date()


def expect(accepted: Accepted) -> Marts:
    """Compute every mart, summary and snapshot, without the columns that begin with `_`."""
    experiments = history(accepted.experiments, "experiment_id")
    locations = history(accepted.locations, "location_id")
    copies = [_recorded(row) for row in accepted.measurements]
    copies += [_read(reading) for reading in accepted.readings]
    newest = _newest(copies)
    facts = [measurement for measurement in newest if not measurement.reasons]
    quarantined = [measurement for measurement in newest if measurement.reasons]
    days: dict[tuple[str, date], list[Measurement]] = defaultdict(list)
    months: dict[tuple[str, date], list[Measurement]] = defaultdict(list)
    for fact in facts:
        experiment = fact.fields["experiment_id"] or ""
        days[experiment, fact.day].append(fact)
        months[experiment, fact.day.replace(day=1)].append(fact)
    names = current_names(experiments, "experiment_name")
    return {
        "fact_measurements": [_fact(fact, experiments, locations) for fact in facts],
        "quarantined_measurements": [_quarantined(row) for row in quarantined],
        "dim_experiments": experiment_rows(experiments, accepted.researchers),
        "dim_locations": location_rows(locations),
        "dim_sensors": _sensors(facts),
        "measurement_anomalies": anomalies(_fact(fact, {}, {}) for fact in facts),
        "dim_time": _minutes(facts),
        "daily_measurement_summary": [
            {"experiment_id": experiment, "measured_date": day} | _parts(group)
            for (experiment, day), group in days.items()
        ],
        "monthly_measurement_summary": [
            {"experiment_id": experiment, "month": month} | _parts(group)
            for (experiment, month), group in months.items()
        ],
        "monthly_temperature_summary": [
            {
                "experiment_id": experiment,
                "experiment_name": names.get(experiment, experiment),
                "month": month,
            }
            | _temperature(values)
            for (experiment, month), group in months.items()
            if (values := [v for fact in group if (v := fact.values["temperature"]) is not None])
        ],
        "snap_experiments": snapshot_rows(experiments, "experiment_id"),
        "snap_locations": snapshot_rows(locations, "location_id"),
        "balance": [
            {
                "rows": len(copies),
                "facts": len(facts),
                "quarantined": len(quarantined),
                "superseded": len(copies) - len(newest),
            }
        ],
    }


def _recorded(row: Mapping[str, str]) -> Copy:
    fields = {name: text_or_none(row[name], "NA") for name in FIELDS}
    text = "|".join(fields[name] or "" for name in FIELDS)
    name = fields["measurement_id"]
    identity = "research_db|" + (f"row:{text}" if name is None else f"id:{name}")
    return Copy("research_db", identity, fields, text, 1, _time(fields["updated_at"]))


def _read(reading: Reading) -> Copy:
    """Name a reading by sensor and instant, whatever way it came."""
    said = reading.fields
    time, sensor = _time(said["timestamp"]), said["sensor_id"]
    instant = f"{time:%Y-%m-%dT%H:%M:%S.%f}Z" if time else said["timestamp"]
    name = f"{sensor}@{instant}" if sensor and instant else None
    fields = {
        "measurement_id": name,
        "experiment_id": said["experiment_id"] or UNKNOWN,
        "location_id": None,
        "measured_at": said["timestamp"],
        "updated_at": reading.written_text,
        "sensor_id": sensor,
        "latitude": said["latitude"],
        "longitude": said["longitude"],
    }
    for quantity, unit in (("temperature", "degC"), ("humidity", "%"), ("pressure", "hPa")):
        fields[quantity] = said[quantity]
        fields[f"{quantity}_unit"] = unit if said[quantity] is not None else None
    text = "|".join(fields[name] or "" for name in FIELDS)
    if sensor is not None:
        place = [decimal_8(said[name]) for name in ("latitude", "longitude")]
        known = [sensor, *("" if v is None else f"{v:.8f}" for v in place)]
        text += "|" + "|".join([*known, reading.withdrawn or ""])
    identity = "sensors|" + (f"row:{text}" if name is None else f"id:{name}")
    rest = (reading.rank, reading.written_at, reading.withdrawn)
    return Copy(reading.source_system, identity, fields, text, *rest)


def _newest(copies: Iterable[Copy]) -> list[Measurement]:
    """Judge the copy of each measurement that counts: by rank, its own time, its content."""
    known: dict[int, list[Copy]] = defaultdict(list)
    for copy in copies:
        known[hash_60_bits(copy.identity)].append(copy)
    return [_judged(key, max(group, key=_rank)) for key, group in known.items()]


def _rank(copy: Copy) -> tuple[int, bool, datetime, int]:
    return (
        -copy.rank,
        copy.updated_at is not None,
        copy.updated_at or EPOCH,
        -hash_60_bits(copy.text),
    )


def _judged(key: int, copy: Copy) -> Measurement:
    fields, source = copy.fields, copy.source_system
    judged = Measurement(source, fields, key, _time(fields["measured_at"]))
    ids = ("measurement_id", "experiment_id") if source == "research_db" else ("sensor_id",)
    judged.reasons += [f"missing_{name}" for name in ids if fields[name] is None]
    for name in ("measured_at", "updated_at") if source == "research_db" else ("measured_at",):
        time = _time(fields[name])
        if fields[name] is None:
            judged.reasons.append(f"missing_{name}")
        elif time is None:
            judged.reasons.append(f"invalid_{name}")
        elif name == "measured_at" and not FIRST_DAY <= time.date() <= LAST_DAY:
            judged.reasons.append("measured_at_out_of_range")
    for quantity in LIMITS:
        judged.values[quantity], reason = _quantity(quantity, fields)
        if reason:
            judged.reasons.append(reason)
        elif source != "research_db" and quantity != "humidity" and fields[quantity] is None:
            judged.reasons.append(f"missing_{quantity}")
    if source == "research_db" and all(fields[quantity] is None for quantity in LIMITS):
        judged.reasons.append("no_quantity")
    if copy.withdrawn:
        judged.reasons = [copy.withdrawn]
    return judged


def _quantity(name: str, fields: Mapping[str, str | None]) -> tuple[Decimal | None, str | None]:
    """Return a quantity in its canonical unit, and why it is not fit to be stored."""
    text, unit = fields[name], fields[f"{name}_unit"]
    if text is None:
        return None, None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None, f"invalid_{name}"
    if abs(number) >= 999_999_999:
        return None, f"invalid_{name}"
    if (name, unit) not in UNITS:
        return None, f"unknown_{name}_unit"
    low, high = LIMITS[name]
    value = _rounded(UNITS[name, unit](number.quantize(Decimal("1e-8"), ROUND_DOWN)), 4)
    return value, None if low <= value <= high else f"{name}_out_of_range"


def _fact(
    fact: Measurement,
    experiments: Mapping[str, list[Version]],
    locations: Mapping[str, list[Version]],
) -> Row:
    measured_at = fact.measured_at
    assert measured_at is not None
    experiment, location = fact.fields["experiment_id"], fact.fields["location_id"]
    versions = (
        valid_at(experiments.get(experiment or "", []), measured_at),
        valid_at(locations.get(location or "", []), measured_at),
    )
    return {
        "measurement_key": fact.key,
        "measurement_id": fact.fields["measurement_id"],
        "source_system": fact.source_system,
        "experiment_key": versions[0].key if versions[0] else UNKNOWN_KEY,
        "experiment_id": experiment,
        "location_key": versions[1].key if versions[1] else UNKNOWN_KEY,
        "location_id": location,
        "sensor_key": _sensor_key(fact),
        "sensor_id": fact.fields.get("sensor_id"),
        "time_key": _minute(measured_at),
        "date_key": int(f"{measured_at:%Y%m%d}"),
        "measured_at": measured_at,
        **fact.values,
        "quality_flag": "suspect" if _is_suspect(fact.values) else "pass",
        "measurement_count": 1,
    }


def _is_suspect(values: Mapping[str, Decimal | None]) -> bool:
    known = [(value, USUAL[name]) for name, value in values.items() if value is not None]
    return any(not low <= value <= high for value, (low, high) in known)


def _quarantined(measurement: Measurement) -> Row:
    fields = measurement.fields
    return {
        "measurement_key": measurement.key,
        "source_system": measurement.source_system,
        "sensor_id": fields.get("sensor_id"),
        **{name: fields[name] for name in ("measurement_id", "experiment_id", "location_id")},
        "quarantine_reasons": ",".join(measurement.reasons),
        **{f"source_{name}": fields[name] for name in FIELDS[3:]},
    }


def _sensor_key(fact: Measurement) -> int:
    sensor = fact.fields.get("sensor_id")
    return UNKNOWN_KEY if sensor is None else hash_60_bits(sensor)


def _sensors(facts: Iterable[Measurement]) -> list[Row]:
    """One row per sensor, placed by its newest fact, and the unknown sensor."""
    of: dict[str, list[tuple[datetime, Measurement]]] = defaultdict(list)
    for fact in facts:
        sensor = fact.fields.get("sensor_id")
        if sensor is not None and fact.measured_at is not None:
            of[sensor].append((fact.measured_at, fact))
    known = []
    for sensor, group in of.items():
        times = [time for time, _ in group]
        (newest,) = [fact for time, fact in group if time == max(times)]
        known.append(
            {
                "sensor_key": hash_60_bits(sensor),
                "sensor_id": sensor,
                "latitude": decimal_8(newest.fields["latitude"]),
                "longitude": decimal_8(newest.fields["longitude"]),
                "first_reading_at": min(times),
                "last_reading_at": max(times),
                "reading_count": len(group),
            }
        )
    nothing = dict.fromkeys(("latitude", "longitude", "first_reading_at", "last_reading_at"))
    unknown = {"sensor_key": UNKNOWN_KEY, "sensor_id": UNKNOWN, "reading_count": 0}
    return [*known, nothing | unknown]


def _minutes(facts: Iterable[Measurement]) -> list[Row]:
    """One row per minute with a fact, and the unknown minute."""
    known = []
    for minute in {_minute(fact.measured_at) for fact in facts if fact.measured_at}:
        start = EPOCH + timedelta(minutes=minute)
        known.append(
            {
                "time_key": minute,
                "minute_start": start,
                "date_key": int(f"{start:%Y%m%d}"),
                "hour": start.hour,
                "minute": start.minute,
                "day_part": ("night", "morning", "afternoon", "evening")[start.hour // 6],
            }
        )
    unknown = dict.fromkeys(("minute_start", "hour", "minute"))
    return [*known, {**unknown, "time_key": -(2**31), "date_key": -1, "day_part": "(unknown)"}]


def _minute(time: datetime) -> int:
    return (time - EPOCH) // timedelta(minutes=1)


def _parts(group: Sequence[Measurement]) -> Row:
    parts: Row = {"measurement_count": len(group)}
    for quantity in LIMITS:
        values = [v for fact in group if (v := fact.values[quantity]) is not None]
        parts[f"{quantity}_n"] = len(values)
        parts[f"{quantity}_sum"] = sum(values, Decimal(0)) if values else None
        squares = sum((value * value for value in values), Decimal(0))
        parts[f"{quantity}_sum_of_squares"] = squares if values else None
        parts[f"{quantity}_min"] = min(values, default=None)
        parts[f"{quantity}_max"] = max(values, default=None)
    return parts


def _temperature(values: Sequence[Decimal]) -> Row:
    with localcontext() as context:
        context.prec = 50
        mean = sum(values, Decimal(0)) / len(values)
        squares = sum(((value - mean) ** 2 for value in values), Decimal(0))
        spread = (squares / (len(values) - 1)).sqrt() if len(values) > 1 else None
        return {
            "avg_temperature": _rounded(mean, 6),
            "min_temperature": min(values),
            "max_temperature": max(values),
            "temp_stddev": None if spread is None else _rounded(spread, 6),
            "measurement_count": len(values),
        }


def _time(text: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def calendar() -> list[tuple[Any, ...]]:
    """Return the rows of dim_date, in the order of its columns."""
    days = [FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]
    known = [
        (
            int(f"{day:%Y%m%d}"), day, day.year, (day.month + 2) // 3, day.month, f"{day:%B}",
            day.replace(day=1), day.day, day.isocalendar().week, day.isoweekday(), f"{day:%A}",
            day.isoweekday() > 5,
        )
        for day in days
    ]  # fmt: skip
    unknown = (None,) * 4
    return [*known, (-1, *unknown, UNKNOWN, *unknown, UNKNOWN, False)]
