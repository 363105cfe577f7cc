"""The report as one HTML file: its sections, and what makes it safe to open.

Text is escaped wherever it stands. Should that fail, the page's policy still runs no script but its
own, known by its hash, and lets nothing be fetched or sent.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import altair as alt
import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from loaders.display import human_bytes, printable
from loaders.embedded.background import write_private
from loaders.errors import UsageError
from loaders.report.charts.drawing import LOOKS, Chart
from loaders.report.charts.loads import MEASURES, batch_chart, run_chart
from loaders.report.charts.measurements import calendar_charts, distribution_chart, month_charts
from loaders.report.charts.overview import flow_chart
from loaders.report.charts.papers import most_frequent_chart, years_chart
from loaders.report.charts.quality import (
    anomaly_chart,
    drift_chart,
    missing_charts,
    quarantine_chart,
)
from loaders.report.charts.sales import orders_chart, revenue_chart
from loaders.report.figures import (
    BATCHES,
    EXPERIMENTS,
    QUANTITIES,
    REFUSALS,
    SERIES_DAYS,
    TOP,
    Figures,
    SourceTable,
)

HERE = Path(__file__).parent
_NO_LEDGER = (
    "What was loaded stands in the ledger, which this log-in may not read: have a member of the "
    "role `research_admins` make the report."
)


@dataclass(frozen=True)
class Tile:
    """A number to see first."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Rows to read, with a title."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


@dataclass(frozen=True)
class Group:
    """Charts that are looked at together, and what to know of them."""

    title: str
    lead: str
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Section:
    """A page of the report; `empty` says what to do when there is nothing to show."""

    name: str
    tiles: tuple[Tile, ...]
    groups: tuple[Group, ...]
    tables: tuple[Table, ...]
    empty: str

    @property
    def anchor(self) -> str:
        """Its place in the page's address."""
        return self.name.lower()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.groups or self.tables)


def write_report(figures: Figures, path: Path) -> int:
    """Write the page, whole or not at all; return its size in bytes. Raises UsageError."""
    page = render(figures)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, page)  # the marts may be open to fewer than the directory is
    except OSError as error:
        raise UsageError(f"the report cannot be written to {path}: {error.strerror}") from None
    return len(page.encode())


def render(figures: Figures) -> str:
    """Return the page."""
    sections = tuple(_sections(figures))
    drawn = [chart for one in sections for group in one.groups for chart in group.charts]
    script = _script()
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["text"] = _text
    return environment.get_template("page.html").render(
        figures=figures,
        sections=sections,
        specs=[chart.spec for chart in drawn],  # in the order of their places
        looks=LOOKS,
        style=(HERE / "page.css").read_text(),
        script=script,
        script_hash=b64encode(sha256(script.encode()).digest()).decode(),
    )


def _script() -> str:
    """Return page.js with Vega in it: nothing is fetched when the page is opened."""
    version = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    bundle: str = vl_convert.javascript_bundle((HERE / "page.js").read_text(), vl_version=version)
    if "</script" in bundle.lower() or "\r" in bundle:  # either would change what is hashed
        raise RuntimeError("the bundle cannot stand in a page as it is")
    return bundle


def _sections(figures: Figures) -> Iterator[Section]:
    yield _overview(figures)
    yield _measurements(figures)
    yield _quality(figures)
    yield _loads(figures)
    yield _sales(figures)
    yield _papers(figures)


def _overview(figures: Figures) -> Section:
    tables = figures.overview.tables
    last = max((one.last_loaded_at for one in tables), default=None)
    tiles = (
        _tile("source systems", len({one.name.split(".")[0] for one in tables})),
        _tile("files", sum(one.files for one in tables)),
        _tile("rows", sum(one.rows for one in tables)),
        Tile(
            "last load",
            _age(figures.made_at, last) if last else "never",
            f"{last:%Y-%m-%d %H:%M} UTC" if last else "",
        ),
        _tile("measurements", figures.measurements.measurements, "facts"),
        _tile("quarantined rows", figures.quality.quarantined_rows),
        _tile("refused files", figures.quality.refused_files),
    )
    flows = tuple(flow_chart(flow) for flow in figures.overview.flows)
    rows = [
        (
            one.name,
            one.files,
            one.rows,
            one.rejected,
            human_bytes(one.bytes),
            one.newest_export,
            one.last_loaded_at,
            _age(figures.made_at, one.last_loaded_at),
            *_freshness(one, figures.made_at),
        )
        for one in tables
    ]
    columns = (
        "table", "files", "rows", "rejected", "size", "newest export", "last load",
        "age", "expected", "freshness",
    )  # fmt: skip
    return Section(
        "Overview",
        tiles if tables else (),
        _groups(
            (
                "The balance",
                "What became of every record in the loaded files; nothing is dropped silently. "
                "Replaced are copies, older versions and deletions: another row stands for them.",
                flows,
            )
        ),
        (Table("Source tables and their freshness (empty: not judged yet)", columns, rows),)
        if rows
        else (),
        "The warehouse is empty. `warehouse setup` creates its tables, `warehouse plan` shows what "
        "is in the staging bucket, and `warehouse run` loads and builds it. `make demo` does all "
        "of it with real data, on this machine."
        if not _ledger_is_closed(figures)
        else _NO_LEDGER,
    )


def _measurements(figures: Figures) -> Section:
    found = figures.measurements
    experiments = sorted({one.experiment for one in found.months})
    tiles = (
        _tile("measurements", found.measurements),
        _tile("experiments", found.experiments, f"{len(experiments)} shown"),
        *(
            Tile("newest measurement", f"{max(one.day for one in found.days)}", "UTC")
            for _ in found.days[:1]
        ),
    )
    groups = [
        (
            f"{quantity.capitalize()} by month",
            f"The line is the mean, the bars reach from the lowest to the highest value ({unit}). "
            "A month without values is left out.",
            tuple(month_charts(quantity, found.months)),
        )
        for quantity, unit in QUANTITIES.items()
    ]
    groups.append(
        (
            "Measurements by day",
            "The last 53 weeks; a hollow square is a day without any measurement.",
            tuple(calendar_charts(found.days)),
        )
    )
    groups.append(
        (
            "Distribution",
            "Of the daily means of the experiments shown, one on the other.",
            tuple(
                chart
                for quantity in QUANTITIES
                if (chart := distribution_chart(quantity, found.bins, experiments))
            ),
        )
    )
    if found.experiments > EXPERIMENTS:
        title, lead, several = groups[0]
        lead += f" The {EXPERIMENTS} experiments with the most measurements are shown."
        groups[0] = (title, lead, several)
    return Section(
        "Measurements",
        tiles if found.measurements else (),
        _groups(*groups),
        (),
        "There are no measurements in the marts yet. Load some and build: `warehouse run`.",
    )


def _quality(figures: Figures) -> Section:
    found = figures.quality
    tiles = (
        _tile("quarantined rows", found.quarantined_rows, "in no fact"),
        _tile("refused files", found.refused_files, "not replaced since"),
        _tile("rejected rows", found.rejected_rows, "of loaded files"),
        _tile("anomalies", found.anomalies, "facts worth a look"),
    )
    groups = _groups(
        (
            "Quarantined rows",
            "They could be read, and failed validation. Their values stand in the quarantined_ "
            "tables.",
            (quarantine_chart(found.quarantined),) if found.quarantined else (),
        ),
        (
            "Missing values",
            "The share of each month's measurements that has no value of a quantity.",
            tuple(missing_charts(figures.measurements.months)),
        ),
        (
            "Drift",
            "The median of each day's measurements, by source. The grey band is what the days "
            "before it make usual; a diamond is a day outside of it. Those with the most breaches "
            "are shown.",
            tuple(drift_chart(one) for one in found.drifts),
        ),
        (
            "Anomalies",
            f"The last {SERIES_DAYS} days of the sensors with the most anomalies: hourly means on "
            "their ranges, and as diamonds the values that are far from what the sensor says at "
            "that hour of the day (measurement_anomalies).",
            tuple(anomaly_chart(one) for one in found.series if one.anomalies),
        ),
    )
    rows = [
        (
            one.source_table,
            one.key,
            "the file" if one.whole_file else "a record",
            one.line,
            one.reason,
            one.recorded_at,
        )
        for one in found.refusals
    ]
    columns = ("table", "file", "refused", "line", "reason", "when (UTC)")
    title = f"Refused files and records (the newest {REFUSALS})"
    refusals = (Table(title, columns, rows),) if rows else ()
    return Section(
        "Quality",
        tiles if groups or rows else (),
        groups,
        (*_thresholds(figures), *refusals) if groups or rows else (),
        "Nothing to report: no row is quarantined, no file was refused, and there are no "
        "measurements to judge.",
    )


def _thresholds(figures: Figures) -> Iterator[Table]:
    """Yield how often each threshold has fired, if anything was judged."""
    rows = [
        (
            one.kind,
            one.measure,
            one.tables,
            one.first_day,
            one.last_day,
            one.judged,
            one.breaches,
            f"{100 * one.breaches / one.judged:.2f}",
            one.newest_breach,
        )
        for one in figures.quality.thresholds
    ]
    columns = (
        "kind", "measure", "tables", "first day", "last day", "judged", "breaches", "%",
        "newest breach",
    )  # fmt: skip
    if rows:
        yield Table("Thresholds, and how often each has fired", columns, rows)


def _loads(figures: Figures) -> Section:
    found = figures.loads
    tiles = [
        Tile(
            f"last {kind}",
            f"{run.seconds:,.1f} s",
            f"{run.outcome}, {run.started_at:%Y-%m-%d %H:%M} UTC",
        )
        for kind, runs in (("load", found.loads), ("build", found.builds))
        for run in runs[-1:]
    ]
    drawn: list[Chart] = []
    if found.loads:
        drawn.append(run_chart(found.loads, "load", "rows"))
        drawn.append(run_chart(found.loads, "load", "seconds"))
    if found.builds:
        drawn.append(run_chart(found.builds, "build", "seconds"))
    return Section(
        "Loads",
        tuple(tiles),
        _groups(
            (
                "Volume and duration",
                "Each is compared with those before it: their median, more or less three robust "
                "deviations (the grey band), is usual. The first five have too few before them. "
                "Each export of a dimension that is replayed is a build of its own.",
                drawn,
            ),
            (
                "Batches",
                f"The last {BATCHES} of each source table, compared in the same way; a second more "
                "or less is always usual. They end when the ledger has them.",
                [chart for measure in MEASURES if (chart := batch_chart(found.batches, measure))],
            ),
        ),
        (),
        "Nothing was loaded yet: `warehouse plan` shows what is in the staging bucket, "
        "`warehouse run` loads it."
        if not _ledger_is_closed(figures)
        else _NO_LEDGER,
    )


def _sales(figures: Figures) -> Section:
    found = figures.sales
    tiles = (
        Tile("revenue", f"{found.revenue:,}", "US dollars"),
        _tile("sales", found.sales, "lines of orders"),
    )
    drawn = (revenue_chart(found.months), orders_chart(found.months)) if found.months else ()
    return Section(
        "Sales",
        tiles if drawn else (),
        _groups(
            ("By month", "The regions with the highest revenue (sales_by_region_monthly).", drawn)
        ),
        (),
        "There are no sales in the marts yet: the sources are sales/ in the staging bucket.",
    )


def _papers(figures: Figures) -> Section:
    found = figures.papers
    drawn = [years_chart(found.years)] if found.years else []
    for title, thing, counts in (
        ("Journals", "journal", found.journals), ("Keywords", "keyword", found.keywords)
    ):  # fmt: skip
        if counts:
            title = f"{title} with the most papers"
            drawn.append(most_frequent_chart(title, thing, counts))
    return Section(
        "Papers",
        (_tile("papers", found.papers, "of the newest export"),) if drawn else (),
        _groups(
            ("What there is to read", f"Journals and keywords: the first {TOP}.", tuple(drawn))
        ),
        (),
        "There are no papers in the marts yet: the source is literature/ in the staging bucket.",
    )


def _ledger_is_closed(figures: Figures) -> bool:
    """Tell a ledger that this user may not read from one that is not there: marts came from it."""
    marts = figures.measurements.measurements or figures.sales.sales or figures.papers.papers
    return bool(marts) and not figures.overview.ledger_is_open


def _groups(*groups: tuple[str, str, Iterable[Chart]]) -> tuple[Group, ...]:
    """Return the groups that have charts."""
    several = (Group(title, lead, tuple(drawn)) for title, lead, drawn in groups)
    return tuple(group for group in several if group.charts)


def _tile(label: str, number: int, note: str = "") -> Tile:
    return Tile(label, f"{number:,}", note)


def _freshness(table: SourceTable, now: datetime) -> tuple[str, str]:
    """Return within how long the next load is expected, and how it stands; empty if not judged."""
    if table.expected_days is None:
        return "", ""
    return f"{table.expected_days.normalize():f} days", "late" if table.is_late(now) else "in time"


def _age(now: datetime, then: datetime) -> str:
    """Return how long ago something was.

    >>> _age(datetime(2020, 1, 3), datetime(2020, 1, 1, 12))
    '36 h ago'
    """
    age = max(now - then, timedelta())
    for size, unit in ((timedelta(days=1), "days"), (timedelta(hours=1), "h")):
        if age >= 2 * size:
            return f"{age // size:,} {unit} ago"
    return f"{age // timedelta(minutes=1)} min ago"


def _text(value: object) -> str:
    """Return a value as a cell shows it; what a key holds besides letters is shown, not obeyed."""
    if value is None:
        return ""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return printable(str(value))
