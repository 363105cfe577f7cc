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

NUMBER = pa.decimal128(12, 4)
SCHEMA = pa.schema(
    [
        ("measurement_id", pa.string()), ("experiment_id", pa.string()),
        ("location_id", pa.string()), ("measured_at", pa.string()), ("temperature", NUMBER),
        ("temperature_unit", pa.string()), ("humidity", NUMBER), ("humidity_unit", pa.string()),
        ("pressure", NUMBER), ("pressure_unit", pa.string()), ("updated_at", pa.string()),
    ]
)  # fmt: skip
RECORD = {
    "measurement_id": "m1", "experiment_id": "e1", "measured_at": "2020-06-01 00:00:00+00",
    "temperature": Decimal("20.0000"), "temperature_unit": "degC",
    "updated_at": "2020-06-01 00:00:00+00",
}  # fmt: skip


def snapshot(name: str, parts: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[StagedObject]:
    """Yield an export's objects: a file a part, and what RDS says of the export."""
    root = f"research_db/snapshots/{name}/"
    for at, changes in enumerate(parts):
        body = io.BytesIO()
        rows = [RECORD | change for change in changes]
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), body, compression="gzip")
        part = f"part-{at:05d}-0b3c8bd0-5f0b-4f6e-8f0a-d1a7f3f1f4a{at}.gz.parquet"
        yield StagedObject(f"{root}research/public.measurements/1/{part}", body.getvalue())
        yield StagedObject(f"{root}research/public.researchers/1/{part}", b"not ours")
    yield StagedObject(f"{root}research/public.measurements/1/_SUCCESS", b"")
    info = {"exportTaskIdentifier": name, "status": "COMPLETE", "percentProgress": 100}
    yield StagedObject(f"{root}export_info_{name}.json", json.dumps(info).encode())


def first() -> Iterator[StagedObject]:
    """Yield an export with measurements that CSV files have too, other ones, and wrong ones."""
    yield from snapshot(
        "export-1",
        [
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
        ],
    )  # fmt: skip
