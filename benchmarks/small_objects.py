"""10,000 objects of ten rows each, beside fetching the same objects and doing nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pyarrow as pa

from benchmarks.loading import CSV, gzipped, load_staged, stage
from benchmarks.measure import Comparison, Run, compare, in_process
from benchmarks.site import BUCKET, Site
from benchmarks.stations import as_records, station_hours

OBJECTS, ROWS_EACH, WORKERS = 10_000, 10, 2


def many(site: Site, data: Path | None, _rows: int, rounds: int) -> Iterator[Comparison]:
    """Compare the load of many small objects with their fetching, at the same concurrency."""
    records = as_records(station_hours(data, OBJECTS * ROWS_EACH))
    text = pa.table({name: records[name].cast(pa.string()) for name in records.column_names})
    stage(
        site,
        {
            f"{CSV}{number:05d}.csv.gz": gzipped(text.slice(number * ROWS_EACH, ROWS_EACH))
            for number in range(OBJECTS)
        },
    )
    rows = OBJECTS * ROWS_EACH

    def fetch() -> Run:
        return in_process(fetch_all)

    yield compare(
        Comparison(
            f"{OBJECTS:,} objects of {ROWS_EACH} rows", "warehouse load",
            "boto3: list and get, the same concurrency", None, rows,
            note="to reach: at most 10 s more than the peer",
        ),
        lambda: load_staged(site, rows), fetch, rounds,
    )  # fmt: skip


def fetch_all() -> None:
    """List and get every object; runs in a process of its own."""
    client = boto3.client("s3")
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=CSV)
    keys = [item["Key"] for page in pages for item in page["Contents"]]
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in pool.map(
            lambda key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read(), keys
        ):
            pass
