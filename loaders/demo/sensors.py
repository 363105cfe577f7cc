"""Sensor readings made from pvlib's file of the BSRN station Payerne (Switzerland), June 2016.

Real: temperature, relative humidity and pressure of every minute, and where the station stands.
Derived by this module: that two loggers, one by odd and one by even minutes, have sent them; their
ids; `ttl`, 90 days after the reading; the days on which the DynamoDB table was exported; which
record Firehose delivered twice (each 500th) and which came late (each hour's last, in the next
hour's object).

The table holds 1 to 3 June: a full export after the second day, an incremental one of the day
after it. The stream was switched on at noon of the second day, and ends with the fifth.
"""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from loaders.demo.dynamodb import Change, Item, full_export, incremental_export
from loaders.demo.firehose import delivery
from loaders.demo.nycflights13 import StagedObject
from loaders.errors import UsageError

FIRST = datetime(2016, 6, 1)
FULL_EXPORT, NEXT_EXPORT = datetime(2016, 6, 3), datetime(2016, 6, 4)
STREAM_FROM, STREAM_TO = datetime(2016, 6, 2, 12), datetime(2016, 6, 6)
# AWS begins the name of an export with its time in milliseconds.
FULL_ID, NEXT_ID = "01464912000000-9f3c1d2e", "01464998400000-4be7a06d"
LOGGERS = ("payerne-even", "payerne-odd")
PLACE = {"latitude": Decimal("46.815"), "longitude": Decimal("6.944")}
EXPERIMENT = "exp-payerne"
TABLE, STREAM, NAME = "sensors/readings/", "stream/readings/", "sensor-readings"
LIFE = timedelta(days=90)
EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Minute:
    """One minute of the station: degrees Celsius, % and hPa, as the file writes them."""

    at: datetime
    temperature: Decimal
    humidity: Decimal
    pressure: Decimal

    @property
    def keys(self) -> Item:
        """The reading's key: its logger, and when."""
        return {
            "sensor_id": LOGGERS[self.at.minute % 2],
            "timestamp": f"{self.at:%Y-%m-%dT%H:%M:%SZ}",
        }

    @property
    def record(self) -> Item:
        """The reading as its logger sends it."""
        values = {
            "temperature": self.temperature,
            "humidity": self.humidity,
            "pressure": self.pressure,
        }
        return {**self.keys, **values, "location": PLACE, "experiment_id": EXPERIMENT}

    @property
    def item(self) -> Item:
        """The reading as the table keeps it."""
        return {**self.record, "ttl": (self.at + LIFE - EPOCH) // timedelta(seconds=1)}


def exports() -> Iterator[StagedObject]:
    """Yield the objects of two exports of the table, and those that Firehose delivered.

    The bytes depend on the package alone. Raises UsageError when the package is not installed.
    """
    minutes = list(_minutes())
    kept = [minute for minute in minutes if minute.at < NEXT_EXPORT]
    items = [minute.item for minute in kept if minute.at < FULL_EXPORT]
    yield from _staged(full_export(TABLE, FULL_ID, items, FULL_EXPORT, files=4))
    changes = [
        # Written some seconds after it was measured.
        Change(minute.keys, minute.at + timedelta(seconds=7), None, minute.item)
        for minute in kept
        if minute.at >= FULL_EXPORT
    ]
    window = (FULL_EXPORT, NEXT_EXPORT)
    yield from _staged(incremental_export(TABLE, NEXT_ID, changes, *window))
    yield from _delivered([m for m in minutes if STREAM_FROM <= m.at < STREAM_TO])


def _delivered(sent: Sequence[Minute]) -> Iterator[StagedObject]:
    """Yield an object an hour, delivered five minutes after it."""
    hours: dict[datetime, list[Item]] = {}
    for number, minute in enumerate(sent, start=1):
        hour = minute.at.replace(minute=0)
        late = minute.at.minute == 59 and hour + timedelta(hours=1) < STREAM_TO
        object_of = hour + timedelta(hours=1) if late else hour
        hours.setdefault(object_of, []).append(minute.record)
        if number % 500 == 0:
            hours[object_of].append(minute.record)
    for hour, records in hours.items():
        yield delivery(STREAM, NAME, hour + timedelta(hours=1, minutes=5), records)


def _staged(objects: Mapping[str, bytes]) -> Iterator[StagedObject]:
    return (StagedObject(key, body) for key, body in objects.items())


def _minutes() -> Iterator[Minute]:
    """Yield the minutes of the file's logical record 0100, two lines each, in their order."""
    lines = gzip.decompress(_file().read_bytes()).decode("ascii").splitlines()
    start = lines.index("*U0100") + 1
    for first, second in zip(lines[start::2], lines[start + 1 :: 2], strict=False):
        if first.startswith("*"):
            return
        day, minute = (int(text) for text in first.split()[:2])
        temperature, humidity, pressure = (Decimal(text) for text in second.split()[-3:])
        at = FIRST + timedelta(days=day - 1, minutes=minute)
        if at >= STREAM_TO:
            return
        yield Minute(at, temperature, humidity, pressure)


def _file() -> Path:
    # The package imports pandas; its file is all that is needed, so it is found, not imported.
    spec = importlib.util.find_spec("pvlib")
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(
            "the demo's data is not installed; run: pip install -c constraints.txt pvlib"
        )
    return Path(spec.submodule_search_locations[0]) / "data" / "bsrn-pay0616.dat.gz"
