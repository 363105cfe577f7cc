"""What keeping the marts costs the database: by history, by new rows, beside plain SQL.

Database time is PostgreSQL's own: the seconds in which its sessions executed statements
(pg_stat_database.active_time). dbt's own seconds are another comparison.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.measure import Comparison, Run
from benchmarks.site import BUCKET, Site
from benchmarks.stations import as_records, parquet_files, station_hours

NEW_ROWS = 10_000
SUMMARIES = (
    "daily_measurement_summary", "monthly_measurement_summary", "monthly_temperature_summary",
)  # fmt: skip
# A plain materialized view of the same columns over the facts.
PLAIN_VIEW = """
    create materialized view plain_monthly_temperature as
    select
        f.experiment_id, max(e.experiment_name) as experiment_name,
        cast(date_trunc('month', f.measured_at) as date) as month,
        avg(f.temperature) as avg_temperature, min(f.temperature) as min_temperature,
        max(f.temperature) as max_temperature, stddev_samp(f.temperature) as temp_stddev,
        count(f.temperature) as measurement_count
    from research_warehouse.fact_measurements f
    left join research_warehouse.dim_experiments e
        on f.experiment_id = e.experiment_id and e.is_current
    group by f.experiment_id, date_trunc('month', f.measured_at)
    having count(f.temperature) > 0
"""
# What somebody would write for the same facts from the same typed rows, with the same indexes.
BY_HAND = """
    create table by_hand as
    select
        m.measurement_key, m.measurement_id, m.source_system,
        coalesce(e.experiment_key, -1) as experiment_key, m.experiment_id,
        coalesce(l.location_key, -1) as location_key, m.location_id,
        cast(-1 as bigint) as sensor_key, m.sensor_id,
        cast(floor(extract(epoch from m.measured_at) / 60) as integer) as time_key,
        cast(to_char(m.measured_at, 'YYYYMMDD') as integer) as date_key,
        m.measured_at, m.temperature, m.pressure, m.humidity, m.quality_flag,
        1 as measurement_count, m._batch_id, m._loaded_at
    from (
        select distinct on (measurement_key) *
        from intermediate.int_measurements__normalized
        where _is_live
        order by measurement_key, copy_rank, updated_at desc nulls last, row_hash
    ) m
    left join research_warehouse.dim_experiments e
        on m.experiment_id = e.experiment_id
        and m.measured_at >= e.valid_from and m.measured_at < e.valid_to
    left join research_warehouse.dim_locations l
        on m.location_id = l.location_id
        and m.measured_at >= l.valid_from and m.measured_at < l.valid_to
    where m.quarantine_reasons is null;
    create index on by_hand (measurement_key);
    create index on by_hand (experiment_id, measured_at);
    create index on by_hand (time_key);
    create index on by_hand (sensor_key, measured_at);
    analyze by_hand
"""


def history(site: Site, data: Path | None, rows: int, rounds: int) -> Iterator[Comparison]:
    """Compare builds after new rows with a tenth of the history, with all of it, and from nothing.

    `rows` is the whole history; the new rows are NEW_ROWS of one day, as oldest first they come.
    """
    records = as_records(station_hours(data, rows + (2 * rounds + 2) * NEW_ROWS))
    parts = Parts(site, records)
    load_dimensions(site, records)
    small = rows // 10
    parts.load(small)
    site.build()
    parts.load(NEW_ROWS)
    site.build()  # warm-up
    before = [_after_new_rows(site, parts) for _ in range(rounds)]
    parts.load(rows - small)
    site.build()
    parts.load(NEW_ROWS)
    site.build()
    after = [_after_new_rows(site, parts) for _ in range(rounds)]

    yield Comparison(
        f"incremental build after {NEW_ROWS:,} new rows",
        f"{rows:,} rows of history", f"{small:,} rows", 1.3, NEW_ROWS,
        ours_runs=[Run(facts + sums) for facts, sums in after],
        peer_runs=[Run(facts + sums) for facts, sums in before],
    )  # fmt: skip
    site.fetch("select 1")
    with site.connect() as connection:
        connection.execute(PLAIN_VIEW)

    def refresh() -> None:
        with site.connect() as connection:
            connection.execute("refresh materialized view plain_monthly_temperature")

    yield Comparison(
        "keeping day and month parts and the monthly view after those rows",
        "the three summaries", "refresh of a plain materialized view", 1 / 20, rows,
        ours_runs=[Run(sums) for _, sums in after],
        peer_runs=[database_time(site, refresh) for _ in range(rounds)],
    )  # fmt: skip

    def by_hand() -> None:
        with site.connect() as connection:
            connection.execute("drop table if exists by_hand")
            connection.execute(BY_HAND)

    def build_fact() -> None:
        site.dbt.invoke("run", "--full-refresh", "--select", "fact_measurements")

    turns = [(database_time(site, build_fact), database_time(site, by_hand)) for _ in range(rounds)]
    yield Comparison(
        "full build of fact_measurements",
        "dbt run --full-refresh", "one hand-written statement, and the same indexes", 1.3, rows,
        ours_runs=[ours for ours, _ in turns], peer_runs=[peer for _, peer in turns],
    )  # fmt: skip
    full = database_time(site, lambda: site.build("--full-refresh"))
    yield Comparison(
        f"incremental build after {NEW_ROWS:,} new rows, beside a full refresh",
        "incremental", "full refresh", 1 / 100, rows,
        ours_runs=[Run(facts + sums) for facts, sums in after], peer_runs=[full] * rounds,
    )  # fmt: skip


def scattered(site: Site, data: Path | None, rows: int, rounds: int) -> Iterator[Comparison]:
    """Compare the build after new rows from all over the history with one after rows of one day.

    `rows` is the history; each round's NEW_ROWS late ones were left out of it at equal distances.
    """
    turns = rounds + 1
    number = np.arange(rows)
    late = number[:: rows // (turns * NEW_ROWS)][: turns * NEW_ROWS]
    fresh = np.arange(rows, rows + turns * NEW_ROWS).reshape(turns, NEW_ROWS)
    blocks = [np.delete(number, late)]
    for turn in range(turns):
        blocks += [fresh[turn], late[turn::turns]]
    hours = station_hours(data, rows + turns * NEW_ROWS)
    records = as_records(hours.take(np.concatenate(blocks)))
    parts = Parts(site, records)
    load_dimensions(site, records)
    parts.load(len(blocks[0]))
    site.build()
    times = [sum(_after_new_rows(site, parts)) for _ in blocks[1:]][2:]  # without the warm-up
    yield Comparison(
        f"incremental build after {NEW_ROWS:,} new rows from all over the history",
        "scattered", "of one day", None, rows,
        ours_runs=[Run(seconds) for seconds in times[1::2]],
        peer_runs=[Run(seconds) for seconds in times[::2]],
    )  # fmt: skip


class Parts:
    """Stages the records part by part, in order, and loads them."""

    def __init__(self, site: Site, records: pa.Table) -> None:
        self._site, self._records = site, records
        self._at = self._files = 0

    def load(self, rows: int) -> None:
        """Stage and load so many more."""
        client = self._site.project.staging.client
        for body in parquet_files(self._records.slice(self._at, rows)):
            key = (
                "research_db/snapshots/exported_at=20240101T000000Z/nightly/research/"
                f"public.measurements/1/part-{self._files:05d}.gz.parquet"
            )
            client.put_object(Bucket=BUCKET, Key=key, Body=body)
            self._files += 1
        self._at += rows
        result = self._site.load()
        if result.refused or result.rows != rows:
            raise RuntimeError(f"{result.rows} of {rows} rows were loaded: {result.refused}")


def load_dimensions(site: Site, records: pa.Table) -> None:
    """Stage and load an export with an experiment and a location a station."""
    names = sorted(set(records["experiment_id"].to_pylist()))
    tables = {
        "experiments": (
            "experiment_id,experiment_name,description,researcher_id,department,start_date,"
            "end_date,status,metadata,created_at,updated_at",
            "{0},Station {0},,r1,,2022-01-01,,active,,,",
        ),
        "locations": (
            "location_id,location_name,latitude,longitude,elevation_m,country,timezone",
            "{0},Station {0},,,,BR,",
        ),
    }
    client = site.project.staging.client
    for table, (header, line) in tables.items():
        folder = f"research_db/{table}/exported_at=20220101T000000Z/"
        text = "\n".join([header, *(line.format(name) for name in names)]) + "\n"
        client.put_object(Bucket=BUCKET, Key=f"{folder}part.csv", Body=text.encode())
        client.put_object(Bucket=BUCKET, Key=f"{folder}_SUCCESS", Body=b"")
    site.load()


def _after_new_rows(site: Site, parts: Parts) -> tuple[float, float]:
    """Load new rows and build; return the database seconds of the facts and of the summaries."""
    parts.load(NEW_ROWS)
    facts = database_time(site, lambda: site.build("--exclude", *SUMMARIES))
    sums = database_time(site, lambda: site.build("--select", *SUMMARIES))
    return facts.seconds, sums.seconds


def database_time(site: Site, work: Callable[[], object]) -> Run:
    """Return the seconds in which the database executed statements during some work."""
    before = _active_seconds(site)
    work()
    return Run(_active_seconds(site) - before)


def _active_seconds(site: Site) -> float:
    time.sleep(1.5)  # sessions report once a second, and when they end
    query = "select active_time / 1000 from pg_stat_database where datname = current_database()"
    return float(site.fetch(query)[0][0])
