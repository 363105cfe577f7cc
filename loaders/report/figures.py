"""The report's figures: a dataclass a page, and how much of what is there a page shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

QUANTITIES = {"temperature": "°C", "pressure": "hPa", "humidity": "%"}
EXPERIMENTS = 8  # those with the most measurements
MONTHS = 60
DAYS = 371  # 53 weeks
REFUSALS = 100
BATCHES = 30  # of each source table
RUNS = 60
REGIONS = 8
TOP = 15
SERIES = 4  # of sensors with anomalies
SERIES_DAYS = 14
DRIFTS = 6  # of medians by day
ANOMALIES = 200  # of a series, the farthest ones


@dataclass(frozen=True)
class SourceTable:
    """A source table's live batches, and within how many days of a load the next is expected.

    `expected_days` is None where nothing is judged yet.
    """

    name: str
    files: int
    rows: int
    rejected: int
    bytes: int
    newest_export: datetime | None
    last_loaded_at: datetime
    expected_days: Decimal | None

    def is_late(self, now: datetime) -> bool:
        """Whether the last load is longer ago than is usual; in days, as the measure counts."""
        age = (now.date() - self.last_loaded_at.date()).days
        return self.expected_days is not None and age > self.expected_days


@dataclass(frozen=True)
class Flow:
    """What became of the records in the files of a subject; the fates sum up to `read`.

    `others` are copies, older versions and deletions: rows that another row stands for.
    """

    subject: str
    rejected: int
    waiting: int
    facts: int
    quarantined: int
    others: int

    @property
    def loaded(self) -> int:
        """Rows in the raw tables."""
        return self.waiting + self.facts + self.quarantined + self.others

    @property
    def read(self) -> int:
        """Records of the files that were loaded."""
        return self.loaded + self.rejected


@dataclass(frozen=True)
class Overview:
    """What is loaded, and where its rows are; nothing where the ledger is not this user's."""

    ledger_is_open: bool
    tables: tuple[SourceTable, ...]
    flows: tuple[Flow, ...]


@dataclass(frozen=True)
class Month:
    """A quantity of an experiment in a UTC month; mean, low and high are None without a value."""

    experiment: str
    quantity: str
    month: date
    measurements: int
    values: int
    mean: Decimal | None
    low: Decimal | None
    high: Decimal | None


@dataclass(frozen=True)
class Day:
    """An experiment's measurements of a UTC day."""

    experiment: str
    day: date
    measurements: int


@dataclass(frozen=True)
class Bin:
    """The number of days of an experiment whose mean of a quantity is from `low` up to `high`."""

    experiment: str
    quantity: str
    low: float
    high: float
    days: int


@dataclass(frozen=True)
class Measurements:
    """The experiments with the most measurements, by name; `experiments` counts all of them."""

    experiments: int
    measurements: int
    months: tuple[Month, ...]
    days: tuple[Day, ...]
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Quarantined:
    """Rows of a mart of quarantined rows that have a reason, among others perhaps."""

    mart: str
    reason: str
    rows: int


@dataclass(frozen=True)
class Refusal:
    """A record that was refused, or the file as a whole; `line` is None where it is not known."""

    source_table: str
    key: str
    whole_file: bool
    line: int | None
    reason: str
    recorded_at: datetime


@dataclass(frozen=True)
class Hour:
    """A sensor's values of a quantity in an hour."""

    hour: datetime
    mean: float
    low: Decimal
    high: Decimal


@dataclass(frozen=True)
class Anomaly:
    """A value far from what its sensor says at that hour of the day."""

    measured_at: datetime
    value: Decimal
    median: Decimal
    robust_z: Decimal


@dataclass(frozen=True)
class AnomalousSeries:
    """A fortnight of a sensor that ends with its newest anomaly; `total` counts all it ever had."""

    sensor: str
    quantity: str
    total: int
    hours: tuple[Hour, ...]
    anomalies: tuple[Anomaly, ...]


@dataclass(frozen=True)
class JudgedDay:
    """A measure of a UTC day beside its expected range, whose bounds are None if not judged."""

    day: date
    value: Decimal
    low: Decimal | None
    high: Decimal | None
    verdict: str


@dataclass(frozen=True)
class Drift:
    """The median of a quantity by day, of one source of measurements."""

    source: str
    quantity: str
    days: tuple[JudgedDay, ...]

    @property
    def breaches(self) -> tuple[JudgedDay, ...]:
        """The days outside of their expected range."""
        return tuple(one for one in self.days if one.verdict in ("low", "high"))


@dataclass(frozen=True)
class Threshold:
    """How often a measure was outside of its expected range, of all the days it was judged."""

    kind: str
    measure: str
    tables: int
    first_day: date
    last_day: date
    judged: int
    breaches: int
    newest_breach: date | None


@dataclass(frozen=True)
class Quality:
    """What is wrong, or looks so."""

    quarantined_rows: int
    quarantined: tuple[Quarantined, ...]
    refused_files: int
    rejected_rows: int
    refusals: tuple[Refusal, ...]
    drifts: tuple[Drift, ...]
    thresholds: tuple[Threshold, ...]
    anomalies: int
    series: tuple[AnomalousSeries, ...]


@dataclass(frozen=True)
class Batch:
    """A batch of a source table; `seconds` is None if it was loaded by an earlier version."""

    batch_id: int
    source_table: str
    loaded_at: datetime
    rows: int
    seconds: float | None


@dataclass(frozen=True)
class Run:
    """A load or a build that has ended; a build loads no rows."""

    started_at: datetime
    seconds: float
    rows: int
    outcome: str


@dataclass(frozen=True)
class Loads:
    """The latest batches of each table, and the latest loads and builds, the oldest first."""

    batches: tuple[Batch, ...]
    loads: tuple[Run, ...]
    builds: tuple[Run, ...]


@dataclass(frozen=True)
class RegionMonth:
    """A region's sales of a UTC month."""

    region: str
    month: date
    revenue: Decimal
    orders: int
    sales: int


@dataclass(frozen=True)
class Sales:
    """The latest months of the regions that sell most; the totals are of all of them."""

    revenue: Decimal
    sales: int
    months: tuple[RegionMonth, ...]


@dataclass(frozen=True)
class Papers:
    """Papers of the newest export by year, and what occurs most in them."""

    papers: int
    years: tuple[tuple[int, int], ...]
    journals: tuple[tuple[str, int], ...]
    keywords: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Figures:
    """All that the report shows."""

    target: str
    schema: str
    made_at: datetime
    overview: Overview
    measurements: Measurements
    quality: Quality
    loads: Loads
    sales: Sales
    papers: Papers
