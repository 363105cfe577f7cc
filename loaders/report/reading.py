"""Reads the report's figures, by statements that both engines take.

All is read from summaries, dimensions and the ledger, and each answer is bounded, so that a large
warehouse is no slower than a small one. The one look into the facts is a fortnight of a sensor.
Never read: the contents of rejected and quarantined rows, who loaded, and on which machine.
"""

# ruff: noqa: S608  # only names of our own, numbers and times are put into the statements

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil, log10
from typing import Any

from loaders.identifiers import quote_literal
from loaders.ledger import Ledger
from loaders.rejects import is_last_generation
from loaders.report.figures import (
    ANOMALIES,
    BATCHES,
    DAYS,
    DRIFTS,
    EXPERIMENTS,
    MONTHS,
    QUANTITIES,
    REFUSALS,
    REGIONS,
    RUNS,
    SERIES,
    SERIES_DAYS,
    TOP,
    AnomalousSeries,
    Anomaly,
    Batch,
    Bin,
    Day,
    Drift,
    Figures,
    Flow,
    Hour,
    JudgedDay,
    Loads,
    Measurements,
    Month,
    Overview,
    Papers,
    Quality,
    Quarantined,
    Refusal,
    RegionMonth,
    Run,
    Sales,
    SourceTable,
    Threshold,
)
from loaders.settings import Settings
from loaders.warehouse.base import Warehouse


def read_figures(warehouse: Warehouse, settings: Settings) -> Figures:
    """Read all figures; what is not there, or is not this user's to read, is left empty."""
    reading = _Reading(warehouse)
    measurements = _measurements(reading)
    quality = _quality(reading)
    sales = _sales(reading)
    papers = _papers(reading)
    held = {
        "Measurements": measurements.measurements,
        "Sales": sales.sales,
        "Papers": reading.number("dim_papers", "count(*)", "paper_key >= 0"),
    }
    return Figures(
        settings.target,
        settings.schemas.target,
        datetime.now(UTC).replace(tzinfo=None),
        _overview(reading, held),
        measurements,
        quality,
        _loads(reading),
        sales,
        papers,
    )


class _Reading:
    """Statements that only read, and which tables there are to read."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        schemas = warehouse.schemas
        ledger = schemas.schema("ledger")
        # The view lists what this user may use in any way, if only to insert. Of a table in a
        # schema that is closed to the user, PostgreSQL does not even tell that it may not be read.
        found = self.rows(
            "select table_schema, table_name from information_schema.tables "
            f"where table_schema in ({quote_literal(schemas.target)}, {quote_literal(ledger)}) "
            "and case when has_schema_privilege(table_schema, 'usage') then has_table_privilege("
            """'"' || table_schema || '"."' || table_name || '"', 'select') end"""
        )
        self.marts = {name for schema, name in found if schema == schemas.target}
        self._books = {name for schema, name in found if schema == ledger}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.query(sql) as result:
            return list(result.rows)

    def has(self, *marts: str) -> bool:
        return self.marts.issuperset(marts)

    def keeps(self, *tables: str) -> bool:
        """Tell whether the ledger's tables are there."""
        return self._books.issuperset(tables)

    def book(self, table: str) -> str:
        """Return the SQL name of a table of the ledger."""
        return self.warehouse.schemas.ledger(table).sql

    @property
    def live(self) -> str:
        """The condition that the batch of a row of `b` counts."""
        return Ledger(self.warehouse).is_live("b")

    def number(self, mart: str, aggregate: str, where: str = "1 = 1") -> int:
        """Return an aggregate of a mart, 0 where there is none."""
        if not self.has(mart):
            return 0
        return int(self.rows(f"select coalesce({aggregate}, 0) from {mart} where {where}")[0][0])


@dataclass(frozen=True)
class Subject:
    """The source tables of a subject, the first model that has its facts, and what it refuses."""

    name: str
    tables: tuple[str, ...]
    model: str
    quarantine: str


# Subjects whose facts can be counted without reading the facts: from a summary, or a dimension.
SUBJECTS = (
    Subject(
        "Measurements",
        (
            "research_db.measurements",
            "research_db.measurements_parquet",
            "sensors.readings_export",
            "sensors.readings_changes",
            "stream.readings",
        ),
        "daily_measurement_summary",
        "quarantined_measurements",
    ),
    Subject(
        "Sales",
        (
            "sales.sales_full",
            "sales.sales_full_parquet",
            "sales.sales_changes",
            "sales.sales_changes_parquet",
        ),
        "sales_by_region_monthly",
        "quarantined_sales",
    ),
    Subject("Papers", ("literature.papers",), "int_papers__normalized", "quarantined_papers"),
)


def _overview(reading: _Reading, held: dict[str, int]) -> Overview:
    if not reading.keeps("batches", "events"):
        return Overview(False, (), ())
    tables = reading.rows(
        "select b.source_table, sum(b.files), sum(b.rows_loaded), sum(b.rows_rejected), "
        "sum(b.bytes), max(b.version_at), max(b.loaded_at) "
        f"from {reading.book('batches')} b where {reading.live} "
        "group by b.source_table order by b.source_table"
    )
    expected = _expected_days(reading)
    found = tuple(
        SourceTable(
            name, int(files), int(rows), int(rejected), int(size), newest, last, expected.get(name)
        )
        for name, files, rows, rejected, size, newest, last in tables
    )
    return Overview(True, found, tuple(_flows(reading, found, held)))


def _expected_days(reading: _Reading) -> dict[str, Decimal]:
    """Return how old the last load of each table may be, by the build that looked last."""
    if not reading.has("data_quality_daily"):
        return {}
    rows = reading.rows(
        "select table_name, expected_high from (select table_name, expected_high, row_number() "
        "over (partition by table_name order by day desc) as place from data_quality_daily "
        "where measure = 'days_since_load') newest "
        "where place = 1 and expected_high is not null"
    )
    return dict(rows)


def _flows(
    reading: _Reading, tables: Iterable[SourceTable], held: dict[str, int]
) -> Iterator[Flow]:
    """Yield the subjects with rows; between a load and its build the build's state counts."""
    by_name = {table.name: table for table in tables}
    if not reading.keeps("applied"):
        return
    for subject in SUBJECTS:
        parts = [by_name[name] for name in subject.tables if name in by_name]
        loaded = sum(part.rows for part in parts)
        rejected = sum(part.rejected for part in parts)
        if not loaded + rejected:
            continue
        names = ", ".join(f"'{name}'" for name in subject.tables)
        waiting = reading.rows(
            f"select coalesce(sum(b.rows_loaded), 0) from {reading.book('batches')} b "
            f"where b.source_table in ({names}) and {reading.live} and not exists ("
            f"select 1 from {reading.book('events')} e "
            f"inner join {reading.book('applied')} a on a.event_id = e.event_id "
            f"where e.batch_id = b.batch_id and e.event = 'loaded' "
            f"and a.model = '{subject.model}')"
        )
        waits = int(waiting[0][0])
        quarantined = reading.number(subject.quarantine, "count(*)")
        facts = held[subject.name]
        others = max(0, loaded - waits - facts - quarantined)
        yield Flow(subject.name, rejected, waits, facts, quarantined, others)


_LARGEST = f"""with largest as (
    select experiment_id, sum(measurement_count) as n
    from monthly_measurement_summary
    group by experiment_id
    order by n desc, experiment_id
    limit {EXPERIMENTS}
),
chosen as (
    select
        largest.experiment_id, largest.n,
        coalesce(experiments.experiment_name, largest.experiment_id) as name
    from largest
    left join dim_experiments experiments
        on experiments.experiment_id = largest.experiment_id and experiments.is_current
)
"""
"""The experiments with the most measurements, and their names now: one row each."""


def _measurements(reading: _Reading) -> Measurements:
    if not reading.has(
        "monthly_measurement_summary", "daily_measurement_summary", "dim_experiments"
    ):
        return Measurements(0, 0, (), (), ())
    ((experiments, measurements),) = reading.rows(
        "select count(distinct experiment_id), coalesce(sum(measurement_count), 0) "
        "from daily_measurement_summary"
    )
    names = _display_names(
        reading.rows(f"{_LARGEST} select experiment_id, name from chosen order by n desc")
    )
    return Measurements(
        int(experiments),
        int(measurements),
        tuple(_months(reading, names)),
        tuple(_days(reading, names)),
        tuple(_bins(reading, names)),
    )


def _display_names(rows: list[tuple[Any, ...]]) -> dict[str, str]:
    """Return what to call each experiment: its name, with the id where two have the same."""
    uses = Counter(name for _, name in rows)
    return {key: name if uses[name] == 1 else f"{name} ({key})" for key, name in rows}


def _months(reading: _Reading, names: dict[str, str]) -> Iterator[Month]:
    parts = ", ".join(
        # As monthly_temperature_summary divides: exact sums, then double precision.
        f"m.{q}_n, cast(cast(m.{q}_sum as double precision) / nullif(m.{q}_n, 0) "
        f"as decimal(12, 6)), m.{q}_min, m.{q}_max"
        for q in QUANTITIES
    )
    rows = reading.rows(
        f"{_LARGEST}, newest as (select m.*, row_number() over "
        "(partition by m.experiment_id order by m.month desc) as place "
        "from monthly_measurement_summary m "
        "inner join chosen on chosen.experiment_id = m.experiment_id) "
        f"select m.experiment_id, m.month, m.measurement_count, {parts} "
        f"from newest m where m.place <= {MONTHS} order by m.month"
    )
    for experiment, month, measurements, *values in rows:
        for number, quantity in enumerate(QUANTITIES):
            count, mean, low, high = values[4 * number : 4 * number + 4]
            yield Month(
                names[experiment], quantity, month, int(measurements), int(count), mean, low, high
            )


def _days(reading: _Reading, names: dict[str, str]) -> Iterator[Day]:
    rows = reading.rows(
        f"{_LARGEST}, newest as (select d.experiment_id, d.measured_date, d.measurement_count, "
        "row_number() over (partition by d.experiment_id order by d.measured_date desc) as place "
        "from daily_measurement_summary d "
        "inner join chosen on chosen.experiment_id = d.experiment_id) "
        "select experiment_id, measured_date, measurement_count "
        f"from newest where place <= {DAYS} order by measured_date"
    )
    last = {experiment: day for experiment, day, _ in rows}
    for experiment, day, count in rows:
        if last[experiment] - day < timedelta(days=DAYS):
            yield Day(names[experiment], day, int(count))


def _bins(reading: _Reading, names: dict[str, str]) -> Iterator[Bin]:
    """Yield how the daily means are distributed, in ten to thirty bins of a round width."""
    for quantity in QUANTITIES:
        means = (
            f"{_LARGEST}, means as (select d.experiment_id, "
            f"cast(d.{quantity}_sum as double precision) / d.{quantity}_n as mean "
            "from daily_measurement_summary d "
            "inner join chosen on chosen.experiment_id = d.experiment_id "
            f"where d.{quantity}_n > 0) "
        )
        ((low, high),) = reading.rows(f"{means} select min(mean), max(mean) from means")
        if low is None:
            continue
        width = _round_width((high - low) / 30)
        rows = reading.rows(
            f"{means} select experiment_id, cast(floor(mean / {width!r}) as integer) as bin, "
            "count(*) from means group by 1, 2 order by 2"
        )
        for experiment, number, days in rows:
            start = round(number * width, 6)
            yield Bin(names[experiment], quantity, start, round(start + width, 6), int(days))


def _round_width(width: float) -> float:
    """Return the next of 1, 2 or 5 times a power of ten.

    >>> _round_width(0.31), _round_width(2), _round_width(0)
    (0.5, 2.0, 1.0)
    """
    if width <= 0:
        return 1.0
    power = 10.0 ** ceil(log10(width) - 1)
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= width * 0.999))


def _quality(reading: _Reading) -> Quality:
    quarantined: list[Quarantined] = []
    total = 0
    for mart in sorted(name for name in reading.marts if name.startswith("quarantined_")):
        rows = reading.rows(
            f"select quarantine_reasons, count(*) as n from {mart} "
            "group by quarantine_reasons order by n desc limit 1000"
        )
        reasons: Counter[str] = Counter()
        for codes, count in rows:
            total += int(count)
            for code in str(codes).split(","):
                reasons[code.strip()] += int(count)
        quarantined += [
            Quarantined(mart.removeprefix("quarantined_"), *reason)
            for reason in reasons.most_common(TOP)
        ]
    files, records = _refused_counts(reading)
    return Quality(
        total,
        tuple(quarantined),
        files,
        records,
        tuple(_refusals(reading)),
        tuple(_drifts(reading)),
        tuple(_thresholds(reading)),
        reading.number("measurement_anomalies", "count(*)"),
        tuple(_series(reading)),
    )


def _refused_counts(reading: _Reading) -> tuple[int, int]:
    if not reading.keeps("files"):
        return 0, 0
    ((files, records),) = reading.rows(
        "select coalesce(sum(case when f.status = 'refused' then 1 else 0 end), 0), "
        "coalesce(sum(case when f.status = 'loaded' then f.rows_rejected else 0 end), 0) "
        f"from {reading.book('files')} f where {is_last_generation(reading.warehouse)}"
    )
    return int(files), int(records)


def _refusals(reading: _Reading) -> Iterator[Refusal]:
    """Yield the newest refusals, without the detail: it may quote what stands in the file."""
    if not reading.keeps("files"):
        return
    line, reason, join = "cast(null as bigint)", "f.reason", ""
    if reading.keeps("rejected_rows"):  # not every reader's
        line, reason = "r.line_number", "coalesce(r.reason, f.reason)"
        join = (
            f"left join {reading.book('rejected_rows')} r on r.source_table = f.source_table "
            "and r.bucket = f.bucket and r.object_key = f.object_key "
            "and r.generation = f.generation "
        )
    rows = reading.rows(
        f"select f.source_table, f.object_key, f.status, {line}, {reason}, f.recorded_at "
        f"from {reading.book('files')} f {join}"
        "where (f.status = 'refused' or f.status = 'loaded' and f.rows_rejected > 0) "
        f"and {is_last_generation(reading.warehouse)} "
        f"order by f.recorded_at desc, f.source_table, f.object_key, 4 limit {REFUSALS}"
    )
    for table, key, status, at_line, why, recorded_at in rows:
        whole = status == "refused"
        yield Refusal(table, key, whole, at_line, why or "records were rejected", recorded_at)


def _drifts(reading: _Reading) -> Iterator[Drift]:
    """Yield the medians with the most breaches, then those with the most days."""
    if not reading.has("data_quality_daily"):
        return
    medians = ", ".join(f"'{quantity}_median'" for quantity in QUANTITIES)
    rows = reading.rows(
        "with medians as (select table_name, measure, day, value, expected_low, expected_high, "
        "verdict, row_number() over (partition by table_name, measure order by day desc) as place "
        f"from data_quality_daily where measure in ({medians})), "
        "chosen as (select table_name, measure, "
        "sum(case when verdict in ('low', 'high') then 1 else 0 end) as breaches, count(*) as days "
        f"from medians where place <= {DAYS} group by table_name, measure "
        f"order by breaches desc, days desc, table_name, measure limit {DRIFTS}) "
        "select m.table_name, m.measure, m.day, m.value, m.expected_low, m.expected_high, "
        "m.verdict from medians m inner join chosen on chosen.table_name = m.table_name "
        f"and chosen.measure = m.measure where m.place <= {DAYS} "
        "order by chosen.breaches desc, m.table_name, m.measure, m.day"
    )
    series: dict[tuple[str, str], list[JudgedDay]] = defaultdict(list)
    for table, measure, *day in rows:
        source = str(table).partition(".")[2]
        series[source, str(measure).removesuffix("_median")].append(JudgedDay(*day))
    for (source, quantity), days in series.items():
        newest = days[-1].day
        yield Drift(
            source, quantity, tuple(d for d in days if newest - d.day < timedelta(days=DAYS))
        )


def _thresholds(reading: _Reading) -> Iterator[Threshold]:
    """Yield how often each measure was judged and outside of its range, since the first day."""
    if not reading.has("data_quality_daily"):
        return
    breach = "verdict in ('low', 'high')"
    rows = reading.rows(
        "select kind, measure, count(distinct table_name), min(day), max(day), count(*), "
        f"sum(case when {breach} then 1 else 0 end) as breaches, "
        f"max(case when {breach} then day end) "
        "from data_quality_daily where verdict <> 'not_judged' "
        "group by kind, measure order by breaches desc, kind, measure"
    )
    for kind, measure, tables, first, last, judged, breaches, newest in rows:
        yield Threshold(kind, measure, int(tables), first, last, int(judged), int(breaches), newest)


def _series(reading: _Reading) -> Iterator[AnomalousSeries]:
    if not reading.has("measurement_anomalies", "fact_measurements"):
        return
    worst = reading.rows(
        "select sensor_key, sensor_id, quantity, count(*) as n, max(measured_at) "
        "from measurement_anomalies group by sensor_key, sensor_id, quantity "
        f"order by n desc, sensor_id, quantity limit {SERIES}"
    )
    for key, sensor, quantity, total, last in worst:
        if quantity not in QUANTITIES:
            continue
        time = (
            f"sensor_key = {key:d} and measured_at <= timestamp '{last}' "
            f"and measured_at > timestamp '{last - timedelta(days=SERIES_DAYS)}'"
        )
        hours = reading.rows(
            f"select date_trunc('hour', measured_at) as hour, "
            f"sum(cast({quantity} as double precision)) / count({quantity}), "
            f"min({quantity}), max({quantity}) from fact_measurements "
            f"where {time} and {quantity} is not null group by 1 order by 1"
        )
        found = reading.rows(
            "select measured_at, measured_value, median_value, robust_z "
            f"from measurement_anomalies where {time} and quantity = '{quantity}' "
            f"order by abs(robust_z) desc, measured_at limit {ANOMALIES}"
        )
        yield AnomalousSeries(
            sensor,
            quantity,
            int(total),
            tuple(Hour(*row) for row in hours),
            tuple(Anomaly(*row) for row in found),
        )


def _loads(reading: _Reading) -> Loads:
    batches: list[tuple[Any, ...]] = []
    loads: list[tuple[Any, ...]] = []
    builds: list[tuple[Any, ...]] = []
    if reading.keeps("batches"):
        batches = reading.rows(
            "select b.batch_id, b.source_table, b.loaded_at, b.rows_loaded, b.seconds from ("
            "select b.*, row_number() over "
            "(partition by b.source_table order by b.loaded_at desc, b.batch_id desc) as place "
            f"from {reading.book('batches')} b) b "
            f"where b.place <= {BATCHES} order by b.loaded_at, b.batch_id"
        )
    if reading.keeps("batches", "runs"):
        loads = reading.rows(
            "select r.started_at, r.finished_at, coalesce(sum(b.rows_loaded), 0), r.outcome "
            f"from {reading.book('runs')} r "
            f"left join {reading.book('batches')} b on b.run_id = r.run_id "
            "where r.finished_at is not null "
            "group by r.run_id, r.started_at, r.finished_at, r.outcome "
            f"order by r.started_at desc limit {RUNS}"
        )
    if reading.keeps("builds"):
        builds = reading.rows(
            "select started_at, finished_at, 0, outcome "
            f"from {reading.book('builds')} where finished_at is not null "
            f"order by started_at desc limit {RUNS}"
        )
    return Loads(
        tuple(
            Batch(number, table, at, int(rows), None if seconds is None else float(seconds))
            for number, table, at, rows, seconds in batches
        ),
        tuple(_runs(loads)),
        tuple(_runs(builds)),
    )


def _runs(newest_first: list[tuple[Any, ...]]) -> Iterator[Run]:
    for started, finished, rows, outcome in reversed(newest_first):
        yield Run(started, (finished - started).total_seconds(), int(rows), outcome or "")


def _sales(reading: _Reading) -> Sales:
    if not reading.has("sales_by_region_monthly"):
        return Sales(Decimal(0), 0, ())
    ((total, sales),) = reading.rows(
        "select coalesce(sum(revenue), 0), coalesce(sum(sale_count), 0) "
        "from sales_by_region_monthly"
    )
    rows = reading.rows(
        "with largest as (select region, sum(revenue) as revenue from sales_by_region_monthly "
        f"group by region order by revenue desc, region limit {REGIONS}), "
        "months as (select s.*, dense_rank() over (order by s.month desc) as place "
        "from sales_by_region_monthly s inner join largest on largest.region = s.region) "
        "select region, month, revenue, order_count, sale_count "
        f"from months where place <= {MONTHS} order by month, region"
    )
    months = tuple(
        RegionMonth(region, month, revenue, int(orders), int(sold))
        for region, month, revenue, orders, sold in rows
    )
    return Sales(Decimal(total), int(sales), months)


def _papers(reading: _Reading) -> Papers:
    if not reading.has("dim_papers", "bridge_paper_keywords"):
        return Papers(0, (), (), ())
    current = "paper_key >= 0 and not is_deleted"

    def count_by(column: str, limit: int, order: str) -> tuple[tuple[Any, int], ...]:
        rows = reading.rows(
            f"select {column}, count(*) as n from dim_papers "
            f"where {current} and {column} is not null "
            f"group by {column} order by {order} limit {limit}"
        )
        return tuple((value, int(count)) for value, count in rows)

    keywords = reading.rows(
        "select k.keyword, count(*) as n from bridge_paper_keywords k "
        "inner join dim_papers p on p.paper_key = k.paper_key where not p.is_deleted "
        f"group by k.keyword order by n desc, k.keyword limit {TOP}"
    )
    return Papers(
        reading.number("dim_papers", "count(*)", current),
        count_by("published_year", MONTHS, "published_year desc")[::-1],
        count_by("journal_title", TOP, "n desc, journal_title"),
        tuple((keyword, int(count)) for keyword, count in keywords),
    )
