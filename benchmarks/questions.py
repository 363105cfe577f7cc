"""The headline question, average temperature by experiment and month of a year, asked four ways."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles

import duckdb
import psycopg

from benchmarks.building import Parts, load_dimensions
from benchmarks.measure import Comparison, Run, compare, timed
from benchmarks.site import Site
from benchmarks.stations import as_records, station_hours

CLIENTS, QUERIES = 10, 50
YEAR = "date '2022-01-01' and date '2022-12-31'"
SUMMARY = f"""
    select experiment_name, month, avg_temperature
    from research_warehouse.monthly_temperature_summary
    where month between {YEAR}
    order by 1, 2
"""
# The research database as it is: a row a measurement, typed, with the indexes such a table has.
NORMALIZED_TABLES = """
    create table experiments_table as
        select experiment_id, experiment_name from research_warehouse.dim_experiments
        where is_current;
    alter table experiments_table add primary key (experiment_id);
    create table measurements_table as
        select measurement_id, experiment_id, location_id, measured_at, temperature, humidity,
            pressure
        from research_warehouse.fact_measurements;
    create index on measurements_table (experiment_id, measured_at);
    create index on measurements_table (measured_at);
    analyze experiments_table;
    analyze measurements_table
"""
NORMALIZED = """
    select e.experiment_name, date_trunc('month', m.measured_at) as month, avg(m.temperature)
    from measurements_table m
    join experiments_table e on e.experiment_id = m.experiment_id
    where m.measured_at >= '2022-01-01' and m.measured_at < '2023-01-01'
    group by 1, 2 order by 1, 2
"""
STAR = """
    select e.current_experiment_name, date_trunc('month', f.measured_at) as month,
        avg(f.temperature)
    from {fact} f
    join {dimension} e on f.experiment_key = e.experiment_key
    where f.measured_at >= '2022-01-01' and f.measured_at < '2023-01-01'
    group by 1, 2 order by 1, 2
"""


def headline(site: Site, data: Path | None, rows: int, rounds: int) -> Iterator[Comparison]:
    """Compare the summary with a normalized table, and the star with duckdb on the same rows."""
    records = as_records(station_hours(data, rows))
    load_dimensions(site, records)
    Parts(site, records).load(rows)
    site.build("--select", "+monthly_temperature_summary")
    with site.connect() as connection:
        connection.execute(NORMALIZED_TABLES)
        connection.execute("vacuum analyze research_warehouse.fact_measurements")
    many = _many_clients(site)
    yield compare(
        Comparison(
            "average temperature by experiment and month of a year",
            "monthly_temperature_summary", "the normalized table", 1 / 100, rows,
            note=f"{CLIENTS} clients, {QUERIES} queries each: p95 {many * 1000:.0f} ms",
        ),
        lambda: _ask(site, SUMMARY), lambda: _ask(site, NORMALIZED), rounds,
    )  # fmt: skip
    tables = _in_parquet(site)
    yield compare(
        Comparison(
            "the same on the star", "PostgreSQL, fact and dimension",
            "duckdb, the same rows in Parquet, 2 threads", None, rows,
        ),
        lambda: _ask(
            site,
            STAR.format(
                fact="research_warehouse.fact_measurements",
                dimension="research_warehouse.dim_experiments",
            ),
        ),
        lambda: _ask_duckdb(tables), rounds,
    )  # fmt: skip


def _ask(site: Site, sql: str) -> Run:
    with site.connect() as connection:
        run = timed(lambda: connection.execute(sql).fetchall())
    return run


def _many_clients(site: Site) -> float:
    """Return the 95th percentile of the seconds of all clients' queries."""

    def client(_: int) -> list[float]:
        seconds = []
        with psycopg.connect(**site.connection, autocommit=True) as connection:
            for _ in range(QUERIES):
                started = time.monotonic()
                connection.execute(SUMMARY).fetchall()
                seconds.append(time.monotonic() - started)
        return seconds

    with ThreadPoolExecutor(CLIENTS) as pool:
        found = [second for some in pool.map(client, range(CLIENTS)) for second in some]
    return quantiles(found, n=20)[-1]


def _in_parquet(site: Site) -> dict[str, str]:
    """Write fact and dimension as Parquet with duckdb; return the files."""
    files = {
        "fact": str(site.folder / "fact.parquet"), "dimension": str(site.folder / "dim.parquet")
    }  # fmt: skip
    queries = {
        "fact": "select experiment_key, measured_at, temperature::float8 as temperature "
        "from research_warehouse.fact_measurements",
        "dimension": "select experiment_key, current_experiment_name "
        "from research_warehouse.dim_experiments",
    }
    plain = site.folder / "out"
    plain.mkdir(mode=0o777)
    with site.connect() as connection, duckdb.connect() as writer:
        for name, query in queries.items():
            text = plain / f"{name}.csv"
            with connection.cursor().copy(f"copy ({query}) to stdout (format csv, header)") as copy:
                text.write_bytes(b"".join(copy))
            writer.execute(f"copy (from read_csv('{text}')) to '{files[name]}' (format parquet)")
    return files


def _ask_duckdb(files: dict[str, str]) -> Run:
    sql = STAR.format(fact=f"'{files['fact']}'", dimension=f"'{files['dimension']}'")
    with duckdb.connect(config={"threads": 2}) as connection:
        run = timed(lambda: connection.execute(sql).fetchall())
    return run
