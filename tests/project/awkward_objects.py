"""Staged objects that two engines are apt to read differently, and two months of real weather."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator

from loaders.demo.nycflights13 import StagedObject, exports
from tests.project import (
    hpc_objects,
    literature_objects,
    sales_objects,
    sensor_objects,
    shop_objects,
    snapshot_objects,
)
from tests.project.desk import EXPERIMENT, MEASUREMENT

FIRST_EXPORT, SECOND_EXPORT = "exported_at=20130401T000000Z", "exported_at=20131001T000000Z"
MONTHS = ("2013-03", "2013-11")
NUMBERS = (
    "0", "-0", "+5", ".5", "5.", "-.5e1", "1e1", "1E+01", "1e-05", "2.5e-4", "3.1e-15", "1.01325e1",
    "9.9999999999", "0.00005", "-0.00005", "0.00004999999999", "12.34565", "-12.34565", "00012.50",
    "100", "100.0001", "-50", "-50.0001", "999999998", "999999999", "1e9", "1e99",
    "NaN", "nan", "inf", "-Infinity", "0x1F", "1_000", "1,5", "1e", "e5", ".", "-", "++1", "1 2",
    "\u00bd", "\uff11\uff12",
    "NA", "na", "N/A", "NULL", "null", "\\N", "@NULL@", " 12.5 ", "   ", "\t7",
)  # fmt: skip
TIMES = (
    "2020-06-01T12:00:00Z", "2020-06-01 12:00:00", "2020-06-01T12:00", "2020-06-01T12:00:00+02:00",
    "2020-06-01T12:00:00-0530", "2020-06-01T00:30:00+01:00", "2020-06-01T12:00:00.123456Z",
    "2020-06-01T23:59:59.999999Z", "2020-06-01T12:00:00.1234567Z", "2020-02-29T00:00:00Z",
    "2019-02-29T00:00:00Z", "2020-06-31T00:00:00Z", "2020-13-01T00:00:00Z", "2020-06-01T24:00:00Z",
    "2020-06-01T12:60:00Z", "2020-06-01T12:00:60Z", "2020-06-01T12:00:00+25:00", "2020-06-01",
    "06/01/2020 12:00", "1989-12-31T23:59:59Z", "1990-01-01T00:00:00Z", "2039-12-31T23:59:59Z",
    "2040-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "now", "today",
    "infinity", "20200601T120000Z", "2020-06-01T12:00:00 Z", "2020-06-01t12:00:00z", "NA", "",
)  # fmt: skip
TEXTS = (
    'say "hi"', "it's", "back\\slash", "semi;colon", "comma, comma", "line\nbreak", "tab\there",
    "Ünïcödé 測定 🌡", "e\u0301 and \u00e9", "nul-free", "%s {{ braces }} $1 :x", "--comment",
    "a|b", "|", "id:1", "row:1", "\u00a0no-break\u00a0", " lead", "trail ", "UPPER", "upper",
)  # fmt: skip
UNITS = (("degC", "20"), ("C", "20"), ("degF", "71.33"), ("F", "-40"), ("K", "293.15"),
         ("degc", "20"), ("°C", "20"), ("", "20"), ("NA", "20"), ("hPa", "20"))  # fmt: skip
PRESSURES = (("hPa", "1013.25005"), ("Pa", "101325.005"), ("Pa", "1.01325005e5"), ("kPa", "101.3"),
             ("inHg", "29.92126"), ("mmHg", "760.00005"), ("mbar", "2000.0001"))  # fmt: skip


def first() -> Iterator[StagedObject]:
    """Yield what is staged before the first build."""
    yield from sensor_objects.first()
    for item in exports():
        if FIRST_EXPORT in item.key or any(month in item.key for month in MONTHS):
            yield item
    rows = [{"temperature": number} for number in NUMBERS]
    rows += [{"humidity": number, "humidity_unit": "%"} for number in NUMBERS]
    rows += [{"pressure": number, "pressure_unit": "hPa"} for number in NUMBERS]
    rows += [{"measured_at": time, "updated_at": time} for time in TIMES]
    rows += [{"measurement_id": text, "experiment_id": text[:12]} for text in TEXTS]
    rows += [{"temperature_unit": unit, "temperature": value} for unit, value in UNITS]
    rows += [{"pressure_unit": unit, "pressure": value} for unit, value in PRESSURES]
    rows += [{"temperature": "", "humidity": "", "pressure": ""}, {"experiment_id": " "},
             {"measurement_id": ""}, {"measurement_id": "NA"}, {"location_id": "JFK"},
             {"experiment_id": "exp-jfk", "measured_at": "2013-10-01T00:00:00Z"},
             {"experiment_id": "exp-jfk", "measured_at": "2013-09-30T23:59:59Z"},
             {"experiment_id": "exp-jfk", "measured_at": "1990-01-01T00:00:00Z"}]  # fmt: skip
    numbered = [{"measurement_id": f"w{at}"} | row for at, row in enumerate(rows)]
    yield _measurements("awkward-1", [*numbered, numbered[0], {"measurement_id": "w1"}])
    yield _measurements("awkward-2", numbered[5:9])
    yield from literature_objects.first()
    yield from sales_objects.first()
    yield from shop_objects.first()
    yield from hpc_objects.first()
    yield from snapshot_objects.first()


def later() -> Iterator[StagedObject]:
    """Yield what is staged between the builds: corrections, new, late and changed exports."""
    yield from sensor_objects.later()
    yield _measurements(
        "correction",
        [
            {"measurement_id": "w2", "updated_at": "2020-07-01T00:00:00Z", "temperature": "21.5"},
            {"measurement_id": "w4", "updated_at": "2020-05-01T00:00:00Z", "temperature": "22.5"},
            {"measurement_id": "w6", "updated_at": "2020-07-01T00:00:00Z", "temperature": "hot"},
            {"measurement_id": "w7", "updated_at": "2020-07-01T00:00:00Z", "experiment_id": "e2",
             "measured_at": "2020-08-01T00:00:00Z"},
            {"measurement_id": "w8", "updated_at": "", "temperature": "23"},
        ],
    )  # fmt: skip
    staged = {item.key: item for item in exports()}
    yield from (item for key, item in staged.items() if SECOND_EXPORT in key)
    for table, exported_at, change in (
        ("experiments", "20130201", _for_jfk("experiment_name", 'late, "JFK", Ünï 測\\')),
        ("locations", "20130401", _for_jfk("latitude", "4.0639751e1")),
    ):
        first_key = f"research_db/{table}/{FIRST_EXPORT}/part-0.csv.gz"
        folder = f"research_db/{table}/exported_at={exported_at}T000000Z/"
        yield StagedObject(folder + "part-0.csv.gz", change(staged[first_key].body))
        yield StagedObject(folder + "_SUCCESS", b"")
    folder = "research_db/experiments/exported_at=20140101T000000Z/"
    kept = [{"experiment_id": "exp-jfk", "metadata": '{"said": "\\"a, b\\" {}", "n": [1, null]}'},
            {"experiment_id": "e2", "start_date": "2020-02-30"},
            {"experiment_id": "6f1c2a52-9d35-4f0e-8d1b-0f4f3a6c9b7e"}]  # fmt: skip
    yield StagedObject(folder + "part-0.csv.gz", _csv(EXPERIMENT, kept))
    yield StagedObject(folder + "_SUCCESS", b"")
    yield from literature_objects.later()
    yield from sales_objects.later()
    yield from shop_objects.later()
    yield from hpc_objects.later()


def _for_jfk(column: str, text: str) -> Callable[[bytes], bytes]:
    """Return a function that gives the row of JFK another value."""

    def change(body: bytes) -> bytes:
        rows = list(csv.DictReader(io.StringIO(gzip.decompress(body).decode(), newline="")))
        changed = [row | {column: text} if "jfk" in next(iter(row.values())).lower() else row
                   for row in rows]  # fmt: skip
        assert changed != rows
        return _csv(rows[0], changed)

    return change


def _measurements(name: str, rows: list[dict[str, str]]) -> StagedObject:
    return StagedObject(f"research_db/measurements/{name}.csv.gz", _csv(MEASUREMENT, rows))


def _csv(defaults: dict[str, str], rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(defaults), lineterminator="\n")
    writer.writeheader()
    writer.writerows(defaults | row for row in rows)
    return gzip.compress(text.getvalue().encode(), mtime=0)
