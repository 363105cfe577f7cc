r"""Measures the CSV loader against psql's \copy on the same server, and the loader's memory.

    python benchmarks/load_csv.py --megabytes 250 --parts 4
    python benchmarks/load_csv.py --megabytes 1000 --parts 1 --repeat 1

Starts servers of its own in a temporary directory. Every case loads the same rows into an empty
table; the best of the repeats counts. \copy reads the plain file from disk, the loader reads the
staging bucket of the S3 emulator on the same machine, so its column pays for that as well.
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import os
import random
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import yaml
from rich.console import Console
from rich.table import Table

from loaders.contracts import load_contracts
from loaders.embedded import object_store
from loaders.embedded.object_store import ObjectStore
from loaders.embedded.postgres import EmbeddedPostgres
from loaders.identifiers import Schemas
from loaders.load_run import load
from loaders.staging.objects import Staging
from loaders.warehouse.postgres import PostgresWarehouse
from loaders.warehouse.setup import setup

BUCKET = "benchmark"
COLUMNS = {
    "measurement_id": 64,
    "experiment_id": 36,
    "location_id": 36,
    "measured_at": 40,
    "temperature": 32,
    "temperature_unit": 16,
    "humidity": 32,
    "humidity_unit": 16,
    "pressure": 32,
    "pressure_unit": 16,
    "updated_at": 40,
}
HEADER = ",".join(COLUMNS) + "\n"


@dataclass(frozen=True)
class Measured:
    """One load: rows, seconds, and the loader's peak resident memory in MB."""

    rows: int
    seconds: float
    peak_rss: float | None


def records(megabytes: int) -> Iterator[str]:
    """Yield so much CSV, without header, the same each time."""
    chance = random.Random(1)  # noqa: S311
    start = datetime(2013, 1, 1)
    written = number = 0
    while written < megabytes * 1_000_000:
        time_text = (start + timedelta(minutes=number)).isoformat() + "Z"
        record = (
            f"M{number:012},E{chance.randrange(900):05},L{chance.randrange(300):04},{time_text},"
            f"{chance.uniform(0, 100):.2f},degF,{chance.uniform(0, 100):.2f},%,"
            f"{chance.uniform(900, 1100):.1f},hPa,{time_text}\n"
        )
        written += len(record)
        number += 1
        yield record


def write_inputs(folder: Path, megabytes: int, parts: int) -> tuple[Path, list[Path]]:
    """Write the rows as one plain file and, dealt out, as gzip parts."""
    plain = folder / "plain.csv"
    zipped = [folder / f"part-{number}.csv.gz" for number in range(parts)]
    with ExitStack() as stack:
        file = stack.enter_context(plain.open("w"))
        writers = [stack.enter_context(gzip.open(path, "wt", compresslevel=6)) for path in zipped]
        for writer in (file, *writers):
            writer.write(HEADER)
        for number, record in enumerate(records(megabytes)):
            file.write(record)
            if writers:
                writers[number % parts].write(record)
    return plain, zipped


def write_contract(project: Path, table: str) -> None:
    """Write the contract of one table whose files lie below its name."""
    section = {
        "path": f"lab/{table}/",
        "format": "csv",
        "mode": "append",
        "key": ["measurement_id"],
    }
    columns = [{"name": name, "data_type": f"varchar({size})"} for name, size in COLUMNS.items()]
    entry = {"name": table, "config": {"meta": {"load": section}}, "columns": columns}
    file = project / f"models/{table}_sources.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump({"sources": [{"name": "lab", "tables": [entry]}]}))


def load_once(
    project: Path, table: str, target: str, connection: dict[str, Any], url: str, workers: int
) -> Measured:
    """Load a table with the product; runs in a process of its own, whose memory is measured."""
    contracts = [c for c in load_contracts(project) if c.table == table]
    schemas = Schemas(target)
    warehouse = PostgresWarehouse(connection, schemas)
    setup(warehouse, contracts)
    warehouse.close()
    started = time.monotonic()
    result = load(
        contracts,
        lambda: PostgresWarehouse(connection, schemas),
        Staging(object_store.connect(url), BUCKET),
        workers=workers,
    )
    seconds = time.monotonic() - started
    return Measured(result.rows, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def copy_once(plain: Path, connection: dict[str, Any]) -> Measured:
    r"""Load the plain file with psql's \copy into a table of plain text columns."""
    with psycopg.connect(**connection, autocommit=True) as database:
        database.execute("drop table if exists copied")
        database.execute(f"create table copied ({', '.join(f'{name} text' for name in COLUMNS)})")
        started = time.monotonic()
        subprocess.run(
            ["psql", "-X", "-q", "-c", f"\\copy copied from '{plain}' (format csv, header)"],
            env={
                **os.environ,
                "PGHOST": str(connection["host"]),
                "PGPORT": str(connection["port"]),
                "PGUSER": str(connection["user"]),
                "PGPASSWORD": str(connection["password"]),
                "PGDATABASE": str(connection["dbname"]),
            },
            check=True,
        )
        seconds = time.monotonic() - started
        (rows,) = database.execute("select count(*) from copied").fetchone() or (0,)
    return Measured(rows, seconds, None)


def best(measure: Callable[[], Measured], repeat: int) -> Measured:
    """Return the fastest of some measurements."""
    return min((measure() for _ in range(repeat)), key=lambda measured: measured.seconds)


def run(arguments: argparse.Namespace, folder: Path) -> None:
    """Start the servers, measure, print the table."""
    folder.chmod(0o755)  # the server's account must reach it
    console = Console()
    console.print(f"writing {arguments.megabytes} MB of CSV …")
    plain, zipped = write_inputs(folder, arguments.megabytes, arguments.parts)
    server, store = EmbeddedPostgres(folder / "postgres"), ObjectStore(folder / "store")
    server.start()
    store.start()
    try:
        connection: dict[str, Any] = {
            "host": server.host,
            "port": server.port,
            "user": server.superuser,
            "password": server.password,
            "dbname": "postgres",
        }
        client = store.client()
        client.create_bucket(Bucket=BUCKET)
        for table, files in (("plain", [plain]), ("zipped", zipped)):
            write_contract(folder, table)
            for path in files:
                with path.open("rb") as body:
                    client.put_object(Bucket=BUCKET, Key=f"lab/{table}/{path.name}", Body=body)
        runs = 0

        def loaded(table: str, workers: int) -> Measured:
            nonlocal runs
            runs += 1
            target = f"bench{runs}"
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                measured = pool.submit(
                    load_once, folder, table, target, connection, store.endpoint_url, workers
                ).result()
            with psycopg.connect(**connection, autocommit=True) as database:
                database.execute(f"drop schema {target}_raw_lab, {target}_ledger cascade")
            return measured

        cases: dict[str, Callable[[], Measured]] = {
            "psql \\copy, plain": lambda: copy_once(plain, connection),
            "load, plain": lambda: loaded("plain", 1),
        }
        for workers in (1, 2) if zipped else ():
            cases[f"load, {len(zipped)} gzip parts, {workers} connections"] = (
                lambda workers=workers: loaded("zipped", workers)  # type: ignore[misc]
            )
        show(
            console,
            {name: best(measure, arguments.repeat) for name, measure in cases.items()},
            plain.stat().st_size / 1e6,
        )
    finally:
        store.stop()
        server.remove()


def show(console: Console, measured: dict[str, Measured], megabytes: float) -> None:
    """Print the measurements; the ratio is to the first of them."""
    table = Table("case", "rows", "seconds", "MB/s", "ratio", "peak MB")
    base = next(iter(measured.values())).seconds
    for name, one in measured.items():
        table.add_row(
            name,
            f"{one.rows:,}",
            f"{one.seconds:.2f}",
            f"{megabytes / one.seconds:.0f}",
            f"{one.seconds / base:.2f}",
            f"{one.peak_rss:.0f}" if one.peak_rss else "",
        )
    console.print(table)


def main() -> None:
    """Read the arguments and measure in a temporary directory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=250, help="size of the plain CSV")
    parser.add_argument("--parts", type=int, default=4, help="gzip parts; 0 leaves them out")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each case")
    folder = Path(tempfile.mkdtemp(prefix="warehouse-benchmark-"))
    try:
        run(parser.parse_args(), folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
