"""`warehouse report`: its figures are those of the marts, and a browser draws them in peace."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import pytest

from loaders.errors import UsageError
from loaders.project import Project
from loaders.report import make_report, page
from loaders.report.charts import loads
from loaders.report.charts.overview import flow_chart
from loaders.report.charts.quality import drift_chart
from loaders.report.figures import (
    DRIFTS,
    EXPERIMENTS,
    MONTHS,
    QUANTITIES,
    Drift,
    Figures,
    Flow,
    JudgedDay,
)
from loaders.report.reading import SUBJECTS, read_figures
from loaders.warehouse.base import Warehouse
from tests.project.desk import ROOT, Desk
from tests.project.people import PASSWORD
from tests.project.sites import Site

# As long as an experiment's id may be; wherever it came through as it is, it would run.
HOSTILE = "</script><img src=x onerror=alert()>"
SECRET = "what a rejected record holds"


class OnlyQueries:
    """A warehouse on which whatever is not `query` fails."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.schemas = warehouse.schemas
        self.query = warehouse.query


def figures_of(project: Project, user: str | None = None) -> Figures:
    """Return what this user's report shows; by default that of the profile's user."""
    settings = project.settings
    if user:
        log_in = {**settings.connection, "user": user, "password": PASSWORD}
        settings = replace(settings, connection=log_in)
    with closing(Project(settings).connect()) as warehouse:
        return read_figures(cast(Warehouse, OnlyQueries(warehouse)), settings)


def ask(site: Site, sql: str) -> list[tuple[Any, ...]]:
    with site.owner.reader() as warehouse, warehouse.query(sql) as result:
        return list(result.rows)


def test_the_means_are_those_of_the_summary_to_the_last_digit(site: Site) -> None:
    found = {
        (m.month, m.mean, m.low, m.high, m.values)
        for m in figures_of(site.owner).measurements.months
        if m.quantity == "temperature" and m.values
    }
    summary = ask(
        site,
        "select month, avg_temperature, min_temperature, max_temperature, measurement_count "
        "from monthly_temperature_summary",
    )
    assert len(found) > 5
    assert found <= set(summary)


def test_the_totals_are_those_of_the_marts(site: Site) -> None:
    figures = figures_of(site.owner)
    quarantined = Counter({one.mart: one.rows for one in figures.quality.quarantined})
    assert {
        "measurements": figures.measurements.measurements,
        "sales": figures.sales.sales,
        "revenue": figures.sales.revenue,
        "papers": figures.papers.papers,
        "anomalies": figures.quality.anomalies,
        "rows": sum(table.rows for table in figures.overview.tables),
    } == dict(
        ask(
            site,
            "select 'measurements', cast(count(*) as decimal(38, 2)) from fact_measurements "
            "union all select 'sales', count(*) from fact_sales "
            "union all select 'revenue', sum(amount) from fact_sales "
            "union all select 'papers', count(*) from dim_papers "
            "where paper_key >= 0 and not is_deleted "
            "union all select 'anomalies', count(*) from measurement_anomalies "
            "union all select 'rows', sum(b.rows_loaded) from ledger.batches b where b.batch_id "
            "not in (select e.batch_id from ledger.events e where e.event = 'superseded')",
        )
    )
    assert {"measurements", "papers", "sales", "orders"} <= set(quarantined)


def test_every_record_of_the_files_has_a_fate(site: Site) -> None:
    flows = {flow.subject: flow for flow in figures_of(site.owner).overview.flows}
    ((live, measurements),) = ask(
        site,
        "select count(*), count(distinct measurement_key) "
        "from intermediate.int_measurements__normalized where _is_live",
    )
    ((rejected,),) = ask(
        site,
        "select sum(rows_rejected) from ledger.batches "
        "where source_table in ('research_db.measurements', 'research_db.measurements_parquet', "
        "'sensors.readings_export', 'sensors.readings_changes', 'stream.readings')",
    )
    flow = flows["Measurements"]
    assert (flow.loaded - flow.waiting, flow.others) == (live, live - measurements)
    assert flow.facts + flow.quarantined == measurements
    assert (flow.rejected, flow.read) == (rejected, flow.loaded + rejected)
    assert set(flows) == {"Measurements", "Sales", "Papers"}


@pytest.mark.parametrize(
    ("subject", "model"),
    [
        ("Measurements", "int_measurements__normalized"),
        ("Sales", "int_sales__changes"),
        ("Papers", "int_papers__normalized"),
    ],
)
def test_a_subject_has_all_of_its_source_tables(site: Site, subject: str, model: str) -> None:
    read = ask(
        site,
        "select distinct e.source_table from ledger.applied a "
        f"inner join ledger.events e on e.event_id = a.event_id where a.model = '{model}'",
    )
    (tables,) = (set(one.tables) for one in SUBJECTS if one.name == subject)
    assert {table for (table,) in read} <= tables
    assert tables <= {contract.name for contract in site.owner.contracts}


@pytest.mark.parametrize(
    ("user", "marts", "ledger", "lines"),
    [
        ("the_reader", True, False, False),
        ("the_loader", False, True, False),
        ("the_builder", True, True, False),
        ("the_writer", False, True, False),  # the marts are those of another
        ("the_admin", True, True, True),
        ("ada", False, False, False),
    ],
)
def test_everybody_gets_a_report_of_what_they_may_read(
    site: Site, monkeypatch: pytest.MonkeyPatch, user: str, marts: bool, ledger: bool, lines: bool
) -> None:
    monkeypatch.setattr(page, "_script", lambda: "")
    figures = figures_of(site.owner, user)
    assert bool(figures.measurements.months) == bool(figures.sales.months) == marts
    assert figures.overview.ledger_is_open == bool(figures.overview.tables) == ledger
    known = [one for one in figures.quality.refusals if one.line is not None]
    assert (bool(figures.quality.refusals), bool(known)) == (ledger, lines)
    assert ("may not read" in page.render(figures)) == (marts and not ledger)


def test_an_empty_warehouse_says_what_to_do(empty: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_script", lambda: "")
    empty.execute("delete from ledger.builds")  # the fixture's own
    for schema in ("", "ledger", "research_warehouse"):
        if schema:
            empty.execute(f"drop schema {schema} cascade")
        seen = Page(page.render(figures_of(empty.project)))
        told = len(seen.classes("empty")) - len(seen.of["noscript"])
        assert len(seen.of["section"]) == told == 6
        assert {"warehouse setup", "warehouse run", "make demo"} <= set(seen.of["code"])
        assert seen.classes("chart") == []


def test_a_file_that_cannot_be_written_is_told(
    tmp_path: Path, empty: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "_script", lambda: "")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        make_report(empty.project, tmp_path / "file" / "report.html")


def test_no_other_command_waits_for_the_charts() -> None:
    code = "import sys, loaders.cli, loaders.demo.run; sys.exit('altair' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_value_is_judged_by_those_before_it() -> None:
    assert loads._judge(9, [1, 2, 3, 4]) == ("not judged", None)
    assert loads._judge(12, [10, 10, 10, 10, 10])[0] == "usual"
    assert loads._judge(14, [10, 10, 10, 10, 10])[0] == "unusual"
    assert loads._judge(14, [10, 10, 10, 10, 10], least=5)[0] == "usual"
    assert loads._judge(14, [8, 9, 10, 11, 12])[0] == "usual"
    assert loads._judge(15, [8, 9, 10, 11, 12])[0] == "unusual"


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (Decimal("1.5"), None, "where at least 1.5 was expected"),
        (None, Decimal(3), "where at most 3.0 was expected"),
        (Decimal("1.5"), Decimal(3), "where at least 1.5 and at most 3.0 was expected"),
    ],
)
def test_a_rule_may_have_one_side(low: Decimal | None, high: Decimal | None, told: str) -> None:
    day = JudgedDay(date(2013, 1, 1), Decimal(9), low, high, "high")
    assert told in drift_chart(Drift("research_db", "temperature", (day,))).text


def test_bands_of_a_flow_are_as_wide_as_their_rows() -> None:
    flow = Flow("Sales", rejected=100, waiting=0, facts=800, quarantined=50, others=50)
    spec = flow_chart(flow).spec
    bands = next(rows for rows in spec["datasets"].values() if "fate" in rows[0])
    for x in (0, 1.2, 2):
        at = [band for band in bands if band["x"] == x]
        assert [round(b["from"] - b["to"]) for b in at] == [800, 50, 50, 100]
        edges = [edge for band in at for edge in (band["from"], band["to"])]
        assert edges == sorted(edges, reverse=True)  # none covers another


class Page(HTMLParser):
    """A page's elements, by name: their text, and of each its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.of: dict[str, list[str]] = {}
        self.attributes: list[dict[str, str | None]] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        self._open.append(tag)
        self.of.setdefault(tag, []).append("")
        self.attributes.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        """End it, and those in it that have no end."""
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Add to the text of the innermost element."""
        if self._open:
            self.of[self._open[-1]][-1] += data

    def classes(self, name: str) -> list[dict[str, str | None]]:
        """Return the attributes of the elements of a class."""
        return [one for one in self.attributes if name in (one.get("class") or "").split()]


def fill(desk: Desk) -> None:
    """Write into every table that the report reads, more than it shows, with hostile names."""
    many = "generate_series(1, 20)"
    quantities = "".join(f", {n}, {n} * 20, {n} * 400, 10, 30" for n in ("24", "23", "0 + 24"))
    columns = "".join(
        f", {q}_n, {q}_sum, {q}_sum_of_squares, {q}_min, {q}_max"
        for q in ("temperature", "pressure", "humidity")
    )
    for mart, column, step, times in (
        ("daily_measurement_summary", "measured_date", "day", 500),
        ("monthly_measurement_summary", "month", "month", 90),
    ):
        desk.execute(
            f"insert into research_warehouse.{mart} "
            f"(experiment_id, {column}, measurement_count{columns}) "
            f"select 'e' || e, date '2020-01-01' + t * interval '1 {step}', 24 + e{quantities} "
            f"from {many} e, generate_series(1, {times}) t where t % 50 <> 7"
        )
    desk.execute(
        "insert into research_warehouse.dim_experiments "
        "(experiment_id, experiment_name, is_current) "
        f"select 'e' || e, '{HOSTILE}', true from {many} e"
    )
    desk.execute(
        "insert into research_warehouse.fact_measurements (sensor_key, measured_at, temperature) "
        "select 7, timestamp '2020-01-01' + t * interval '1 minute', t % 30 "
        "from generate_series(1, 40000) t"
    )
    desk.execute(
        "insert into research_warehouse.measurement_anomalies (sensor_key, sensor_id, quantity, "
        "measured_at, measured_value, median_value, robust_z) select 7, "
        f"'{HOSTILE}', 'temperature', timestamp '2020-01-20' + t * interval '1 minute', 40, 15, 9 "
        "from generate_series(1, 5000) t"
    )
    desk.execute(
        "insert into research_warehouse.sales_by_region_monthly (region, month, sale_count, "
        f"order_count, revenue) select '{HOSTILE}' || r, date '2020-01-01' + m * interval "
        f"'1 month', 3, 2, 10.05 from {many} r, generate_series(1, 90) m"
    )
    desk.execute(
        "insert into research_warehouse.dim_papers (paper_key, published_year, journal_title, "
        f"is_deleted) select p, 1990 + p, '{HOSTILE}' || p, false from {many} p"
    )
    desk.execute(
        "insert into research_warehouse.bridge_paper_keywords (paper_key, keyword) "
        f"select p, '{HOSTILE}' || p from {many} p"
    )
    desk.execute(
        "insert into research_warehouse.quarantined_measurements (quarantine_reasons, "
        f"source_temperature) select 'invalid_temperature,no_time', '{SECRET}' from {many}"
    )
    when = "timestamp '2020-03-01' + n * interval '1 hour'"
    desk.execute(
        "insert into ledger.batches (batch_id, source_table, mode, files, rows_loaded, "
        "rows_rejected, bytes, loaded_at, run_id, seconds) "
        "select n, 'research_db.measurements', 'append', 1, case n when 300 then 9 else 100 end, "
        f"1, 1000, {when}, n, case n when 300 then 95 when 1 then null else 10 end "
        "from generate_series(1, 300) n"
    )
    desk.execute(
        "insert into ledger.batches (batch_id, source_table, mode, files, rows_loaded, "
        "rows_rejected, bytes, loaded_at, run_id, seconds) values (0, "
        "'sales.products_changes_parquet', 'changes', 1, 1, 0, 1, timestamp '2020-01-01', 'x', 1)"
    )
    desk.execute(
        "insert into research_warehouse.data_quality_daily (table_name, day, kind, measure, value, "
        "expected_low, expected_high, verdict) "
        "select 'fact_measurements.s' || s, date '2020-01-01' + d, 'distribution', "
        "q || '_median', d % 9 - 4, -8, 0, case when d % 9 > 4 then 'high' else 'ok' end "
        "from generate_series(1, 3) s, generate_series(1, 800) d, "
        "unnest(array['temperature', 'pressure', 'humidity']) q where d % 100 <> 7"
    )
    desk.execute(
        "insert into research_warehouse.data_quality_daily (table_name, day, kind, measure, value, "
        "expected_high, verdict) values ('research_db.measurements', date '2020-03-01', "
        "'freshness', 'days_since_load', 0, 3, 'ok')"
    )
    desk.execute(
        "insert into ledger.runs (run_id, command, host, os_user, started_at, finished_at, "
        f"outcome) select n, 'run', '{SECRET}', '{SECRET}', {when}, {when} + interval '1 minute', "
        "'done' from generate_series(1, 300) n"
    )
    desk.execute("delete from ledger.builds")  # the fixture's own
    desk.execute(
        "insert into ledger.builds (invocation_id, started_at, finished_at, outcome) "
        f"select n, {when}, {when} + interval '1 minute', 'success' from generate_series(1, 300) n"
    )
    desk.execute(
        "insert into ledger.files (source_table, bucket, object_key, generation, status, "
        f"rows_rejected, reason, detail, recorded_at) select '{HOSTILE}', 'b', '{HOSTILE}' || n, "
        f"1, 'refused', 1, 'not_json', '{SECRET}', {when} from generate_series(1, 300) n"
    )
    desk.execute(
        "insert into ledger.rejected_rows (source_table, bucket, object_key, generation, "
        "line_number, reason, detail, raw, recorded_at) select source_table, bucket, object_key, "
        f"1, 4711, 'not_json', '{SECRET}', '{SECRET}', recorded_at from ledger.files "
        "where status = 'refused'"
    )


# The page in a frame as wide as a phone (a browser's own window is wider), then as text: the page
# as its scripts leave it, what is wider than the frame and in nothing that scrolls, and words that
# their chart cuts.
PHONE = """<!doctype html>
<iframe src="{page}" width="{width}" height="800" scrolling="no"></iframe>
<script>
const frame = document.querySelector("iframe");
const waiting = setInterval(() => {{
  const page = frame.contentDocument;
  if (page.documentElement.dataset.done !== "yes") return;
  clearInterval(waiting);
  const right = (one) => one.getBoundingClientRect().right;
  const wide = [
    ...[...page.querySelectorAll("main *, header *, footer *")].filter((one) =>
      right(one) > {width} && !one.closest(".scroll, .skip")),
    ...[...page.querySelectorAll("svg text:not([opacity='0'])")].filter((one) =>
      right(one) > right(one.closest(".chart"))),
  ];
  const told = {{
    html: page.documentElement.outerHTML, width: page.documentElement.scrollWidth,
    wide: wide.map((one) => one.outerHTML.slice(0, 100)),
  }};
  const place = document.body.appendChild(document.createElement("pre"));
  place.textContent = JSON.stringify(told);
}}, 200);
</script>"""


def open_page(browser: str, file: Path, profile: Path, width: int) -> tuple[Page, list[str]]:
    """Return the page as its scripts leave it, and what the console says.

    Fails if anything of it is wider than `width` pixels.
    """
    phone = file.with_name("phone.html")
    phone.write_text(PHONE.format(page=file.name, width=width))
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu",
            "--allow-file-access-from-files",
            f"--user-data-dir={profile}", "--no-first-run", "--disable-background-networking",
            "--enable-logging=stderr", "--log-level=0", "--virtual-time-budget=30000",
            "--dump-dom", phone.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )  # fmt: skip
    told = json.loads(Page(done.stdout).of["pre"][0])
    assert (told["width"], told["wide"]) == (width, [])
    return Page(told["html"]), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_a_browser_draws_every_chart_and_has_nothing_to_say(
    empty: Desk, browser: str, tmp_path: Path
) -> None:
    fill(empty)
    report = make_report(empty.project, tmp_path / "report.html")
    text = report.path.read_text()
    assert report.bytes == report.path.stat().st_size < 4_000_000
    assert stat.S_IMODE(report.path.stat().st_mode) == 0o600
    assert SECRET not in text
    assert HOSTILE not in text
    seen, console = open_page(browser, report.path, tmp_path / "profile", 360)
    # The policy lets nothing be fetched, and a browser tells of what it did not let.
    assert "default-src 'none'" in str([one.get("content") for one in seen.attributes])
    assert console == []
    assert "img" not in seen.of
    drawn = seen.classes("chart")
    # By month 3 quantities of 8 experiments; by day 8; missing values 8.
    months = 3 * EXPERIMENTS + EXPERIMENTS + 3
    assert len(drawn) == 1 + months + 1 + EXPERIMENTS + DRIFTS + 1 + 5 + 2 + 3
    assert {one.get("data-drawn") for one in drawn} == {"yes"}
    assert len(seen.of["svg"]) == len(drawn)
    told = [one["aria-label"] for one in seen.attributes if one.get("role") == "img"]
    assert len(told) == len(drawn)
    assert all(told)
    ((measurements,),) = empty.rows("select sum(measurement_count) from daily_measurement_summary")
    assert f"{measurements:,}" in seen.of["dd"]
    cells = seen.of["td"]
    assert sum(HOSTILE in cell for cell in cells) > 100
    assert {"4,711", "not_json", "invalid_temperature"} <= set(cells)
    # The last batch, and with it the last load, brought 9 rows instead of 100, and took long.
    unusual = [cells[place - 2 : place] for place, cell in enumerate(cells) if cell == "unusual"]
    rows, seconds = ["9", "70.0 to 130.0"], ["95.0", "7.0 to 13.0"]
    assert unusual == [rows, rows, seconds]
    # The measurements' last load is long ago; a third of the days are judged to be too high.
    late = cells.index("late")
    assert (cells[late - 9], cells[late - 1]) == ("research_db.measurements", "3 days")
    fired = cells.index("humidity_median")
    assert cells[fired + 4 : fired + 6] == ["2,376", "1,059"]
    (drift,) = (one for one in told if "Median humidity of s1 by day" in str(one))
    assert "368 days are judged" in str(drift)


def test_what_is_read_is_bounded(empty: Desk) -> None:
    fill(empty)
    figures = figures_of(empty.project)
    experiments = {one.experiment for one in figures.measurements.months}
    assert len(experiments) == EXPERIMENTS  # though all have the same name
    assert figures.measurements.experiments == 20
    for quantity in QUANTITIES:
        bins = [one for one in figures.measurements.bins if one.quantity == quantity]
        assert sum(one.days for one in bins) == EXPERIMENTS * 490
    assert max(Counter(m.experiment for m in figures.measurements.months).values()) == 3 * MONTHS
    assert len(figures.quality.refusals) == 100
    assert figures.quality.refused_files == 300
    (series,) = figures.quality.series
    assert (series.total, len(series.anomalies)) == (5000, 200)
    assert 300 < len(series.hours) <= 14 * 24 + 1
    assert len({one.region for one in figures.sales.months}) == 8
    assert figures.sales.revenue == Decimal("10.05") * 20 * 90
    assert len(figures.loads.loads) == len(figures.loads.builds) == 60
    assert len(figures.loads.batches) == 30 + 1
    assert len(figures.quality.drifts) == DRIFTS
    assert max(len(drift.days) for drift in figures.quality.drifts) <= 371
    assert max(one.judged for one in figures.quality.thresholds) == 3 * 792
