"""Exports of a snapshot of the research database to S3, in the layout that RDS writes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from loaders.demo.nycflights13 import StagedObject
from tests.project.desk import EXPERIMENT, MEASUREMENT
from tests.project.events import LOCATION, RESEARCHER

NUMBERS = {
    "temperature": pa.decimal128(12, 4), "humidity": pa.decimal128(12, 4),
    "pressure": pa.decimal128(12, 4), "latitude": pa.decimal128(9, 6),
    "longitude": pa.decimal128(9, 6), "elevation_m": pa.decimal128(8, 2),
}  # fmt: skip
WRITTEN = "2020-06-01 00:00:00+00"
# The first is a measurement as the tests of CSV know it.
RECORDS: Mapping[str, Mapping[str, Any]] = {
    "measurements": dict.fromkeys(MEASUREMENT) | {
        "measurement_id": "m1", "experiment_id": "e1", "measured_at": WRITTEN,
        "temperature": Decimal("20.0000"), "temperature_unit": "degC", "updated_at": WRITTEN,
    },
    "experiments": EXPERIMENT | {
        "end_date": None, "metadata": '{"grant": "A-1"}', "created_at": WRITTEN,
        "updated_at": "2020-06-01 02:30:00.5+05:30",
    },
    "locations": LOCATION | {
        "latitude": Decimal("47.500000"), "longitude": Decimal("-8.250000"), "elevation_m": None,
        "timezone": "Europe/Zurich",
    },
    "researchers": RESEARCHER,
}  # fmt: skip
Parts = Sequence[Sequence[Mapping[str, Any]]]


def snapshot(
    at: str, tables: Mapping[str, Parts], status: str = "COMPLETE", task: str = "nightly"
) -> Iterator[StagedObject]:
    """Yield an export's objects: a file a part of a table, and what RDS says of the export.

    `at` is the snapshot's time, YYYYMMDD; the rows are given by what differs from RECORDS.
    """
    name = f"{task}-{at}"
    root = f"research_db/snapshots/exported_at={at}T000000Z/{name}/"
    for table, parts in tables.items():
        schema = pa.schema([(c, NUMBERS.get(c, pa.string())) for c in RECORDS[table]])
        for number, rows in enumerate(parts):
            body = io.BytesIO()
            records = [{**RECORDS[table], **changes} for changes in rows]
            pq.write_table(pa.Table.from_pylist(records, schema), body, compression="gzip")
            part = f"part-{number:05d}-0b3c8bd0-5f0b-4f6e-8f0a-d1a7f3f1f4a{number}.gz.parquet"
            yield StagedObject(f"{root}research/public.{table}/1/{part}", body.getvalue())
        yield StagedObject(f"{root}research/public.{table}/1/_SUCCESS", b"")
    yield StagedObject(f"{root}research/public.rooms/1/part-00000.gz.parquet", b"not ours")
    about = [{"target": f"research.public.{table}", "status": status} for table in tables]
    tables_info = json.dumps({"perTableStatus": about}).encode()
    yield StagedObject(f"{root}export_tables_info_{name}_from_1_to_{len(about)}.json", tables_info)
    info = {"exportTaskIdentifier": name, "status": status, "percentProgress": 100}
    yield StagedObject(f"{root}export_info_{name}.json", json.dumps(info).encode())


def first() -> Iterator[StagedObject]:
    """Yield an export with measurements that CSV files have too, other ones, and wrong ones.

    Older than any other: of the dimensions it brings what later exports no longer have.
    """
    dimensions: Mapping[str, Parts] = {
        "experiments": [[{"experiment_id": "p1"}], [{"experiment_id": "p2", "status": None}]],
        "locations": [[{"location_id": "p1"}, {"location_id": "p2", "latitude": None}]],
        "researchers": [[{"researcher_id": "p1"}]],
    }
    measurements = [
        [
            {"measurement_id": "w1"},
            {"measurement_id": "w2", "updated_at": "2020-06-15 00:00:00.5+00",
             "temperature": Decimal("20.25")},
            {"measurement_id": "p1", "measured_at": "2020-06-01 12:00:00.25-05:30"},
            {"measurement_id": "p2", "measured_at": "2020-06-01"},
        ],
        [
            {"measurement_id": "p3", "temperature": Decimal("-12345678.9999")},
            {"measurement_id": "p4", "temperature": None, "pressure": Decimal("101.325"),
             "pressure_unit": "kPa", "humidity": Decimal("0.5"), "humidity_unit": "1"},
            {"measurement_id": None},
            {"measurement_id": "p5", "temperature_unit": None},
            {"measurement_id": "p6", "measured_at": None},
        ],
    ]  # fmt: skip
    yield from snapshot("20100101", {"measurements": measurements, **dimensions})
