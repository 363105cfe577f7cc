"""Sensor readings with all that is nasty about them: DynamoDB's exports and Firehose's objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from loaders.demo.dynamodb import Change, Item, full_export, incremental_export
from loaders.demo.firehose import delivery
from loaders.demo.nycflights13 import StagedObject

TABLE, STREAM = "sensors/readings/", "stream/readings/"
EPOCH = datetime(1970, 1, 1)
FIRST_EXPORT = datetime(2020, 5, 10, 12, 30, 0, 500_000)
NEXT_EXPORT = datetime(2020, 5, 11, 12, 30)
PLACE = {"latitude": Decimal("46.815"), "longitude": Decimal("6.944")}
DIGITS = "9.8765432109876543210987654321098765432"  # 38 of them


def seconds(time: datetime) -> Decimal:
    return Decimal((time - EPOCH) // timedelta(seconds=1))


def item(sensor_id: str, timestamp: str, **attributes: Any) -> dict[str, Any]:
    """Return an item; an attribute given as `...` is left out."""
    made = {
        "sensor_id": sensor_id,
        "timestamp": timestamp,
        "temperature": Decimal("20.5"),
        "humidity": Decimal("55.5"),
        "pressure": Decimal("1013.25"),
        "location": PLACE,
        "experiment_id": "exp-jfk",
        "ttl": seconds(NEXT_EXPORT + timedelta(days=60)),
    } | attributes
    return {name: value for name, value in made.items() if value is not ...}


def record(sensor_id: Any, timestamp: Any, **attributes: Any) -> dict[str, Any]:
    """Return a record of the stream: the same without what the table adds."""
    made = {
        "sensor_id": sensor_id,
        "timestamp": timestamp,
        "temperature": Decimal("20.25"),
        "humidity": Decimal("55.5"),
        "pressure": Decimal("1013.25"),
        "location": PLACE,
    } | attributes
    return {name: value for name, value in made.items() if value is not ...}


def at(minute: int, second: str = "00") -> str:
    return f"2020-05-10T10:{minute:02d}:{second}Z"


BEFORE, LATER = FIRST_EXPORT - timedelta(seconds=1), FIRST_EXPORT + timedelta(seconds=1)
ITEMS: tuple[Item, ...] = (
    item("s1", at(0)),
    item("s1", at(1), temperature=Decimal(DIGITS), humidity=Decimal("0.12345678999999999999999")),
    item("s1", at(2), humidity=..., location=..., experiment_id=...),
    item("s1", at(3), experiment_id=None, location={"latitude": Decimal("-33.5")}),
    item("s1", at(4), experiment_id="nowhere", location=None),
    item("s1", at(5), temperature=..., pressure=None),
    item("s1", at(6), temperature="warm", pressure="1000.5"),
    item("s1", at(7), temperature=Decimal("100.0001"), pressure=Decimal("2000.0001")),
    item("s1", at(8), temperature=Decimal("1E+37"), pressure=Decimal("1E-20")),
    item("s1", at(9), temperature=True, pressure=[Decimal(1)], humidity={"of": Decimal(1)}),
    item("s1", "2020-05-10 12:10:00+02:00"),  # the stream's 10:10
    item("s1", "soon"),
    item("s1", "1980-01-01T00:00:00Z"),
    item("s2", at(0), ttl=seconds(FIRST_EXPORT)),  # expired at 12:30:00
    item("s2", at(1), ttl=seconds(FIRST_EXPORT) + 1),
    item("s2", at(2), ttl=seconds(BEFORE), temperature=...),
    item("s2", at(3), ttl="never"),
    item("s2", at(4), ttl=Decimal("1589113799.5")),
    item("s2", at(5), ttl=Decimal(-1)),
    item("s2", at(6), ttl=seconds(BEFORE)),  # known by the stream, too
    item("s2", at(7), temperature=Decimal("-50"), pressure=Decimal(0)),
    item("s3", at(0), quality={"good", "checked"}, counts={Decimal(3)}, raw=b"\x00\xff"),
    item("s3", at(1)),
    item("s3", at(2)),
    item("s3", at(3)),
    item("s3", at(4)),
    item("s" * 36, at(0), location={"latitude": Decimal(1), "longitude": Decimal(2)}),
    item("s" * 37, at(0)),
    item("é" * 19, at(0)),
    item("S1", at(0), **{"Temperature": Decimal(1), "TEMPERATURE": Decimal(2)}),
)
SENT = record("s1", at(20))
RECORDS: tuple[Mapping[str, Any], ...] = (
    record("s1", at(0), temperature=Decimal("99")),  # the export's counts
    record("s1", at(10)),
    SENT,
    record("s1", at(21), temperature=..., humidity=...),
    record("s1", at(22), pressure=None),
    record(None, at(23)),
    record(..., at(23)),
    record("s1", ...),
    record("s1", 1589104800),
    record("s1", at(24), temperature="20.5", pressure="1e3"),
    record("s1", at(25), temperature=Decimal("-50.0001"), pressure=Decimal("-0.0001")),
    record("s1", at(26), humidity=Decimal("105.0001")),
    record("s1", at(27), humidity=..., location=...),
    record("s1", at(28), temperature={"value": 1}, location="roof"),
    record("s1", at(29), temperature=True, Pressure=Decimal(1)),
    record("s2", at(6), temperature=Decimal("19")),
    record("s3", at(1), temperature=Decimal("18")),
    record("s4", at(0), experiment_id="exp-jfk", location={"latitude": 1.5, "longitude": 2}),
    record("s4", at(0, "00.000001")),
    record("s4", at(1), temperature=Decimal("20.00005"), pressure=Decimal("1000.00004999999")),
    record("", at(2)),
    record(" s4 ", at(3)),
    record("s5", at(0), location={"latitude": Decimal("1e-9"), "longitude": "x"}),
    {},
)


def hourly(day: int, sensor: str, values: str) -> list[dict[str, Any]]:
    """Return records of one minute each, from 10:00: the hour that the others are of, too."""
    start = datetime(2020, 6, day, 10)
    return [
        record(sensor, f"{start + timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ}",
               temperature=Decimal(value), humidity=Decimal(n), pressure=Decimal(1000))
        for n, value in enumerate(values.split())
    ]  # fmt: skip


# Of twenty values one is far off.
USUAL = "20 20.1 20.2 19.9 19.8 20 20.1 20.2 19.9 19.8 20.3 19.7 20.4 19.6 20 20.1 19.9 20.2 19.8"
ANOMALOUS = hourly(1, "s8", f"{USUAL} 35.5") + hourly(2, "s9", f"{USUAL}")
EQUAL = hourly(3, "s10", "20 " * 12 + "19 " * 9)  # more than half are equal: no MAD


def first() -> Iterator[StagedObject]:
    """Yield a full export, an incomplete one, and the stream's first day."""
    yield from _staged(full_export(TABLE, "01-first", ITEMS, FIRST_EXPORT, files=3))
    incomplete = full_export(TABLE, "02-incomplete", [item("s9", at(0))], FIRST_EXPORT)
    yield from (o for o in _staged(incomplete) if "manifest-summary" not in o.key)
    day = datetime(2020, 5, 10, 10, 5)
    half = len(RECORDS) // 2
    yield delivery(STREAM, "sensor-readings", day, RECORDS[:half])
    yield delivery(STREAM, "sensor-readings", day + timedelta(minutes=5), RECORDS[half:],
                   line_ends=True)  # fmt: skip
    yield delivery(STREAM, "sensor-readings", day + timedelta(minutes=20), ANOMALOUS + EQUAL)
    # Delivered twice, within an object and in another; a record that is cut off.
    yield delivery(STREAM, "sensor-readings", day + timedelta(minutes=10), [SENT, SENT],
                   tail=b'{"sensor_id":"s1","timestamp":"2020-05-10T10:5')  # fmt: skip


def later() -> Iterator[StagedObject]:
    """Yield an incremental export, a second full one, and records that are hours late."""
    hour, ttl = timedelta(hours=1), FIRST_EXPORT + timedelta(hours=2)

    def keys(of: Item) -> Item:
        return {name: of[name] for name in ("sensor_id", "timestamp")}

    def change(old: Item | None, new: Item | None, after: timedelta = hour) -> Change:
        return Change(keys(new or old or {}), FIRST_EXPORT + after, old, new)

    corrected = item("s1", at(0), temperature=Decimal("21.125"), location={"latitude": Decimal(3)})
    short = item("s3", at(5), ttl=seconds(ttl))
    changes = [
        change(ITEMS[0], corrected),
        change(ITEMS[22], None),  # s3 10:01: deleted, though the stream has it
        change(item("s3", at(2), ttl=seconds(ttl)), None, 3 * hour),  # for its age: stays
        change(item("s3", at(3)), None),  # deleted, and there again in the next full export
        change(None, item("s3", at(6), temperature=Decimal("17"))),
        change(None, short, 3 * hour),  # expired when it was written
        change(short, None, 4 * hour),
        Change(keys(item("s3", at(7))), FIRST_EXPORT + hour, None, None),
        change(ITEMS[5], item("s1", at(5))),  # now complete
        change(ITEMS[7], item("s1", at(7), pressure=None)),
        change(None, item("s6", at(0), experiment_id="e2")),
    ]
    window = (FIRST_EXPORT, NEXT_EXPORT)
    yield from _staged(incremental_export(TABLE, "03-changes", changes, *window, files=2))
    full = [ITEMS[1], item("s3", at(3), temperature=Decimal("16")), item("s3", at(4)),
            item("s2", at(1), temperature=Decimal("15"))]  # fmt: skip
    yield from _staged(full_export(TABLE, "04-second", full, NEXT_EXPORT))
    late = [record("s5", "2020-05-10T09:00:00Z"), record("s5", at(30)), RECORDS[1],
            record("s7", "2020-05-10T12:40:00+02:30"), record("s3", at(7))]  # fmt: skip
    # The twentieth of s9 makes its group large enough; s8's outlier is no longer one.
    late += hourly(4, "s9", "30 20.15") + hourly(4, "s8", "35 " * 30)
    yield delivery(STREAM, "sensor-readings", datetime(2020, 5, 10, 19, 0), late)


def delivered(time: datetime, records: Sequence[Mapping[str, Any]]) -> StagedObject:
    """Return an object of the stream."""
    return delivery(STREAM, "sensor-readings", time, records)


def _staged(objects: Mapping[str, bytes]) -> Iterator[StagedObject]:
    return (StagedObject(key, body) for key, body in objects.items())
