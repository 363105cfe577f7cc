"""Loads the Parquet files below a prefix of S3 into PostgreSQL with dlt, its fastest way.

    DESTINATION_URL=postgresql://… python peer_dlt.py BUCKET PREFIX DIRECTORY

Arrow tables, kept as Parquet between the steps, inserted through ADBC (dlt's documentation,
"Postgres", "Fast loading with arrow tables and parquet"). Prints seconds, imports left out, and
peak memory in MB.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import dlt
import pyarrow as pa
import pyarrow.parquet as pq


def tables(bucket: str, prefix: str) -> Iterator[pa.Table]:
    """Yield each file as a table."""
    client = boto3.client("s3")
    for item in client.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
        body = client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        yield pq.read_table(io.BytesIO(body))


def main() -> None:
    """Load, once."""
    bucket, prefix, directory = sys.argv[1:]
    os.environ["DLT_DATA_DIR"] = directory
    pipeline = dlt.pipeline(
        "benchmark",
        destination=dlt.destinations.postgres(os.environ["DESTINATION_URL"]),
        dataset_name="by_dlt",
        pipelines_dir=directory,
    )
    started = time.monotonic()
    pipeline.run(
        tables(bucket, prefix),
        table_name="measurements",
        loader_file_format="parquet",
        write_disposition="append",
    )
    seconds = time.monotonic() - started
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    sys.stdout.write(f"{seconds} {peak}\n")


if __name__ == "__main__":
    main()
