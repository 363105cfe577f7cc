"""Rows to load: real station-hours (INMET, Brazil's weather service), or generated ones like them.

Real ones come from Parquet files `inmet_hourly_<year>.parquet` in a directory of the user's, with
the columns station, ts, temp_c, rh_pct, pres_mb. Each station is an experiment and a location.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS_PER_FILE = 500_000
NUMBER = pa.decimal128(12, 4)


def station_hours(data: Path | None, rows: int) -> pa.Table:
    """Return so many measurements, oldest first: real ones from `data`, else generated.

    Columns: station, ts (timestamp, microseconds, UTC), temp_c, rh_pct, pres_mb (float, null where
    nothing was measured).
    """
    names = ["station", "ts", "temp_c", "rh_pct", "pres_mb"]
    if data is None:
        return _generated(rows).select(names)
    files = sorted(data.glob("inmet_hourly_*.parquet"))
    if not files:
        raise FileNotFoundError(f"no inmet_hourly_*.parquet in {data}")
    tables, found = [], 0
    for file in files:
        table = pq.read_table(file, columns=names)
        tables.append(table.filter(_anything(table)))
        found += len(tables[-1])
        if found >= rows:
            break
    together = pa.concat_tables(tables).sort_by("ts")
    return together.slice(0, rows)


def _anything(table: pa.Table) -> pa.ChunkedArray:
    """Return whether a row has a value at all."""
    temperature, humidity, pressure = (
        pc.is_valid(table[name]) for name in ("temp_c", "rh_pct", "pres_mb")
    )
    return pc.or_(temperature, pc.or_(humidity, pressure))


def _generated(rows: int) -> pa.Table:
    """Return hours of 567 stations with a year's and a day's course, and noise."""
    stations = 567
    chance = np.random.default_rng(1)
    number = np.arange(rows)
    hour, station = number // stations, number % stations
    day = np.sin(2 * np.pi * hour / 24) * 5 + np.sin(2 * np.pi * hour / 8766) * 8
    celsius = 20 + day + chance.normal(0, 2, rows)
    start = np.datetime64("2022-01-01T00:00:00", "us")
    return pa.table(
        {
            "station": pa.array([f"A{n:03d}" for n in range(stations)]).take(pa.array(station)),
            "ts": pa.array(start + hour.astype("timedelta64[h]")),
            "temp_c": pa.array(celsius.round(1), pa.float32()),
            "rh_pct": pa.array(chance.uniform(20, 100, rows).round(0), pa.float32()),
            "pres_mb": pa.array(chance.normal(1000, 10, rows).round(1), pa.float32()),
        }
    )


def as_records(hours: pa.Table, updated_at: str = "2024-01-01 00:00:00+00") -> pa.Table:
    """Return them as the research database exports them: columns of `measurements_parquet`."""
    count = len(hours)
    time = pc.strftime(hours["ts"], "%Y-%m-%d %H:%M:%S")
    text = pc.binary_join_element_wise(time, "+00", "")
    times = pc.replace_substring_regex(text, r"\.0+\+", "+")
    identity = pc.binary_join_element_wise(hours["station"], times, "@")

    def unit(name: str, value: str) -> pa.Array:
        return pc.if_else(pc.is_valid(hours[name]), value, pa.scalar(None, pa.string()))

    def number(name: str) -> pa.ChunkedArray:
        return pc.round(hours[name].cast(pa.float64()), 2).cast(NUMBER, safe=False)

    return pa.table(
        {
            "measurement_id": identity,
            "experiment_id": hours["station"],
            "location_id": hours["station"],
            "measured_at": times,
            "temperature": number("temp_c"),
            "temperature_unit": unit("temp_c", "degC"),
            "humidity": number("rh_pct"),
            "humidity_unit": unit("rh_pct", "%"),
            "pressure": number("pres_mb"),
            "pressure_unit": unit("pres_mb", "hPa"),
            "updated_at": pa.array([updated_at] * count),
        }
    )


def parquet_files(records: pa.Table, rows: int = ROWS_PER_FILE) -> Iterator[bytes]:
    """Yield the records as Parquet files."""
    for start in range(0, len(records), rows):
        body = io.BytesIO()
        pq.write_table(records.slice(start, rows), body, compression="zstd")
        yield body.getvalue()
