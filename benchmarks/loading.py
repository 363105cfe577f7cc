r"""Loading files from S3 into raw, ledger and metadata columns included, beside what users take.

Ours runs as a process of its own and reads the staging bucket of the S3 emulator; psql's \copy
reads an uncompressed file on disk, over one connection, into a table like our raw one, with its
defaults, checks and index, but without a ledger; and into a bare table of as many text columns.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from benchmarks.measure import Comparison, Run, compare, in_process, timed
from benchmarks.site import BUCKET, ROOT, Site
from benchmarks.stations import as_records, station_hours
from loaders.formats.source_bytes import GZIP
from loaders.load_run import load
from loaders.project import Project
from loaders.warehouse.postgres import BATCH_SETTING

CSV = "research_db/measurements/"
PEERS = Path(sys.prefix) / "peers"  # `make bench` installs peers.txt there
# As a database exports it: no value here needs quotes (pyarrow would quote every text).
UNQUOTED = pc.WriteOptions(quoting_style="none")
SAME, BARE = r"psql \copy, the same table", r"psql \copy, a bare table"
ROWS_AT_ONCE = 100_000
STREAM = "stream/readings/2024/01/01/00/"
PARQUET = (
    "research_db/snapshots/exported_at=20240101T000000Z/nightly/research/public.measurements/1/"
)


def files(site: Site, data: Path | None, rows: int, rounds: int) -> Iterator[Comparison]:
    r"""Compare loads of the same rows as gzip CSV and as Parquet with \copy and with dlt."""
    records = as_records(station_hours(data, rows))
    text = pa.table({name: records[name].cast(pa.string()) for name in records.column_names})
    plain = site.folder / "plain.csv"
    pc.write_csv(text, plain, UNQUOTED)
    plain.chmod(0o644)

    def copy(columns: str) -> Run:
        with site.connect() as connection:
            connection.execute("drop table if exists copied")
            connection.execute(f"create table copied ({columns})")
        names = ", ".join(records.column_names)
        return timed(
            lambda: _psql(site, f"\\copy copied ({names}) from '{plain}' (format csv, header)")
        )

    def load_beside(name: str, peer: str, reach: float | None) -> Comparison:
        same = "like raw_research_db.measurements including all"
        bare = ", ".join(f"{name} text" for name in records.column_names)
        return compare(
            Comparison(name, "warehouse load", peer, reach, rows),
            lambda: load_staged(site, rows), lambda: copy(same if peer == SAME else bare), rounds,
        )  # fmt: skip

    for name, count, reach in (("gzip CSV, 4 files", 4, 0.9), ("gzip CSV, 1 file", 1, None)):
        stage(
            site, {f"{CSV}{n}.csv.gz": gzipped(part) for n, part in enumerate(_parts(text, count))}
        )
        yield load_beside(name, SAME, reach)
        yield load_beside(name, BARE, None)
    parts = {f"{PARQUET}part-{n}.parquet": _parquet(p) for n, p in enumerate(_parts(records, 4))}
    stage(site, parts)
    yield load_beside("Parquet, 4 files", SAME, 0.6)
    yield load_beside("Parquet, 4 files", BARE, None)
    yield compare(
        Comparison(
            "Parquet, 4 files", "warehouse load", "dlt, Arrow tables through ADBC", 0.25, rows,
            note="dlt reads each file with pyarrow and inserts Parquet by ADBC: its fastest path",
        ),
        lambda: load_staged(site, rows), lambda: _dlt(site, rows), rounds,
    )  # fmt: skip


def memory(site: Site, data: Path | None, rows: int, _rounds: int) -> Iterator[Comparison]:
    """Compare the loader's peak memory for one file of a hundredth of the rows, and of all."""
    hours = station_hours(data, rows)
    peaks = {}
    sizes = {}
    for count in (rows // 100, rows):
        records = as_records(hours.slice(0, count))
        text = pa.table({name: records[name].cast(pa.string()) for name in records.column_names})
        for kind, key, body in (
            ("gzip CSV", f"{CSV}one.csv.gz", gzipped(text)),
            ("gzip JSON", f"{STREAM}one.gz", _documents(hours.slice(0, count))),
            ("Parquet", f"{PARQUET}part-0.parquet", _parquet(records)),
        ):
            stage(site, {key: body})
            peaks[kind, count] = load_staged(site, count).peak_mb or 0.0
            sizes[kind] = plain_bytes(body)
    for kind, size in sizes.items():
        reach = "" if kind == "Parquet" else "to reach: at most 200 MB, flat; "
        yield Comparison(
            f"peak memory of a load, {kind}", f"a file of {rows:,} rows",
            f"a file of {rows // 100:,} rows", None, rows,
            note=f"{reach}the larger file holds {size / 1e6:,.0f} MB",
            unit="MB",
            ours_runs=[Run(peaks[kind, rows])],
            peer_runs=[Run(peaks[kind, rows // 100])],
        )  # fmt: skip


def stage(site: Site, objects: dict[str, bytes]) -> None:
    """Put these objects into an empty bucket."""
    staging = site.project.staging
    for item in list(staging.list("")):
        staging.client.delete_object(Bucket=BUCKET, Key=item.key)
    for key, body in objects.items():
        staging.client.put_object(Bucket=BUCKET, Key=key, Body=body)


def _parts(table: pa.Table, count: int) -> Iterator[pa.Table]:
    size = -(-len(table) // count)
    for start in range(0, len(table), size):
        yield table.slice(start, size)


def gzipped(table: pa.Table) -> bytes:
    """Return a table as gzip CSV with a header."""
    body = io.BytesIO()
    pc.write_csv(table, body, UNQUOTED)
    return gzip.compress(body.getvalue(), 6)


def _documents(hours: pa.Table) -> bytes:
    """Return a document a row, one after another without line ends, as Firehose delivers them."""
    text = io.BytesIO()
    with gzip.open(text, "wb", 1) as packed:
        for batch in hours.to_batches(ROWS_AT_ONCE):
            documents = [
                f'{{"sensor_id":"{station}","timestamp":"{at:%Y-%m-%dT%H:%M:%SZ}",'
                f'"temperature":{json.dumps(celsius)},"humidity":{json.dumps(humidity)}}}'
                for station, at, celsius, humidity, _ in zip(
                    *(column.to_pylist() for column in batch.columns), strict=True
                )
            ]
            packed.write("".join(documents).encode())
    return text.getvalue()


def plain_bytes(body: bytes) -> int:
    """Return how many bytes a file's content has, decompressed where it is gzip."""
    if not body.startswith(GZIP):
        return len(body)
    with gzip.open(io.BytesIO(body)) as plain:
        return plain.seek(0, io.SEEK_END)


def _parquet(table: pa.Table) -> bytes:
    body = io.BytesIO()
    pq.write_table(table, body, compression="zstd")
    return body.getvalue()


def load_staged(site: Site, rows: int) -> Run:
    """Load everything that is staged into empty tables."""
    with site.connect() as connection:
        tables = connection.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables "
            "where schemaname like 'raw_%' or schemaname = 'ledger'"
        ).fetchall()
        connection.execute(f"truncate {', '.join(name for (name,) in tables)}")
    run = in_process(load_all, site.folder)
    ((loaded,),) = site.fetch("select sum(rows_loaded) from ledger.batches")
    if loaded != rows:
        raise RuntimeError(f"{loaded} of {rows} rows were loaded")
    return run


def load_all(profiles: Path) -> None:
    """Do what `warehouse load` does; runs in a process of its own."""
    project = Project.open(ROOT, "bench", profiles)
    result = load(project.contracts, project.connect, project.staging, workers=2)
    if result.refused:
        raise RuntimeError(str(result.refused))


def _psql(site: Site, command: str) -> None:
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    environment = {f"PG{names[k]}": str(site.connection[k]) for k in names}
    psql = shutil.which("psql")
    if psql is None:
        raise RuntimeError("psql is not installed; it is the peer of this comparison")
    environment |= {
        "PGDATABASE": site.connection["dbname"],
        "PGOPTIONS": f"-c {BATCH_SETTING}=1",  # which a default of the same table asks for
    }
    subprocess.run(
        [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command],
        env={**os.environ, **environment},
        check=True,
    )


def _dlt(site: Site, rows: int) -> Run:
    with site.connect() as connection:
        connection.execute("drop schema if exists by_dlt cascade")
    directory = site.folder / "dlt"
    shutil.rmtree(directory, ignore_errors=True)
    url = "postgresql://{user}:{password}@{host}:{port}/{dbname}".format(**site.connection)
    script = str(Path(__file__).with_name("peer_dlt.py"))
    done = subprocess.run(
        [str(PEERS / "bin/python"), script, BUCKET, PARQUET, str(directory)],
        env={**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false", "DESTINATION_URL": url},
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, peak = done.stdout.split()[-2:]
    ((loaded,),) = site.fetch("select count(*) from by_dlt.measurements")
    if loaded != rows:
        raise RuntimeError(f"dlt loaded {loaded} of {rows} rows")
    return Run(float(seconds), float(peak))
