"""The report's charts as Vega-Lite: each with a title, its unit, a text instead, and its numbers.

Colours of kinds are CSS variables of the page, so that they follow its light and dark mode; they
are those of Okabe and Ito, which the colour-blind can tell apart. Amounts are drawn in viridis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from statistics import median
from typing import Any, Literal

import altair as alt

from loaders.report.figures import (
    QUANTITIES,
    AnomalousSeries,
    Batch,
    Bin,
    Day,
    Flow,
    Month,
    Quarantined,
    RegionMonth,
    Run,
)

COLOURS = [f"var(--kind-{number})" for number in range(1, 9)]
INK, FAINT, ALERT = "var(--ink)", "var(--faint)", "var(--alert)"
HEIGHT = 170  # pixels, where the rows do not say another one
SHOWN_NUMBERS = 200  # rows of the table below a chart
EARLIER_FOR_A_RANGE = 5
DEVIATIONS = 3

LOOKS = {
    "aria": False,  # a chart is read as its text, and its numbers as a table
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelLimit": 190,
    },
    "legend": {"labelColor": INK, "titleColor": INK, "titleFontWeight": "normal"},
    "text": {"fill": INK},
}
"""What the charts have in common: Vega's configuration."""

Numbers = Sequence[tuple[object, ...]]


@dataclass(frozen=True)
class Chart:
    """A chart: what it shows, in which unit, in words, its specification, and its numbers."""

    title: str
    unit: str
    text: str
    spec: dict[str, Any]
    columns: tuple[str, ...]
    rows: Numbers
    wide: bool = False

    @property
    def shown(self) -> Numbers:
        """The last of its numbers: as many as a person looks at."""
        return self.rows[-SHOWN_NUMBERS:]


# Between 0 and 2 there is no half a row.
_WHOLE = alt.Axis(labelExpr="datum.value % 1 ? '' : format(datum.value, ',')")
_FATES = {
    "in the marts": COLOURS[0],
    "replaced": FAINT,
    "quarantined": COLOURS[1],
    "waiting for a build": COLOURS[4],
    "rejected": ALERT,
}


def flow_chart(flow: Flow) -> Chart:
    """Return a subject's records as bands from files to facts, each as wide as it has rows."""
    counts = (flow.facts, flow.others, flow.quarantined, flow.waiting, flow.rejected)
    fates = {name: rows for name, rows in zip(_FATES, counts, strict=True) if rows}
    thin, gap = flow.read / 100, flow.read / 6
    bands: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    in_files = loaded = marts = 0.0  # the upper edge of the next band at each stage
    for fate, rows in fates.items():
        if fate == "rejected":  # parts from the others before the raw tables
            loaded += gap
        width = max(float(rows), thin)
        edges = (in_files, in_files, loaded, loaded, marts, marts)
        bands += [
            {"x": x, "from": -edge, "to": -edge - width, "fate": fate}
            for x, edge in zip((0, 0.4, 0.8, 1.2, 1.6, 2), edges, strict=True)
        ]
        labels.append({"x": 2.05, "y": -marts - width / 2, "text": f"{_short(rows)} {fate}"})
        in_files += width
        loaded += width
        marts += width + gap
    axis = alt.Axis(
        values=[0, 1, 2],
        labelExpr="['in files', 'loaded', 'in marts'][datum.value]",
        labelAlign="left",
        orient="top",
        title=None,
        grid=False,
        domain=False,
        ticks=False,
    )
    along = alt.X("x:Q", axis=axis, scale=alt.Scale(domain=[0, 3.3], nice=False))
    scale = alt.Scale(domain=[-marts + gap / 2, gap / 4], nice=False, zero=False)
    colours = alt.Scale(domain=list(fates), range=[_FATES[fate] for fate in fates])
    band = (
        alt.Chart(_data(bands))
        .mark_area(interpolate="monotone")
        .encode(
            along,
            alt.Y("from:Q", axis=None, scale=scale),
            alt.Y2("to:Q"),
            alt.Color("fate:N", legend=None, scale=colours),
            tooltip="fate:N",
        )
    )
    label = (
        alt.Chart(_data(labels))
        .mark_text(align="left", fill=INK)
        .encode(alt.X("x:Q"), alt.Y("y:Q"), alt.Text("text:N"))
    )
    words = ", ".join(f"{rows:,} {fate}" for fate, rows in fates.items())
    return Chart(
        f"{flow.subject}: from files to marts",
        f"{flow.read:,} records",
        f"Of {flow.read:,} records in the loaded files of {flow.subject.lower()}: {words}.",
        _spec(alt.layer(band, label), 50 + 30 * len(fates)),
        ("what became of them", "records"),
        list(fates.items()),
    )


def month_charts(quantity: str, months: Iterable[Month]) -> Iterator[Chart]:
    """Yield a quantity's months of each experiment: means on their ranges, on one scale."""
    unit = QUANTITIES[quantity]
    valued = [m for m in months if m.quantity == quantity and m.low is not None]
    if not valued:
        return
    low, high = min(_number(m.low) for m in valued), max(_number(m.high) for m in valued)
    scale = alt.Scale(domain=[low, high], zero=False, nice=True)
    for experiment, found in _by_experiment(valued):
        first, last = found[0].month, found[-1].month
        by_month = {m.month: m for m in found}
        rows = [
            {
                # A month without values breaks the line.
                "month": month.isoformat(),
                "when": f"{month:%B %Y}",
                "mean": _number(by_month[month].mean) if month in by_month else None,
                "low": _number(by_month[month].low) if month in by_month else None,
                "high": _number(by_month[month].high) if month in by_month else None,
            }
            for month in _months_between(first, last)
        ]
        base = alt.Chart(_data(rows)).encode(
            _month(),
            tooltip=["when:N", "mean:Q", "low:Q", "high:Q"],
        )
        band = base.mark_bar(color=COLOURS[0], opacity=0.3, width={"band": 0.86}).encode(
            alt.Y("low:Q", title=f"{quantity} ({unit})", scale=scale), alt.Y2("high:Q")
        )
        point = alt.OverlayMarkDef(color=COLOURS[0], size=22)
        line = base.mark_line(color=COLOURS[0], point=point, strokeWidth=1.8).encode(
            alt.Y("mean:Q")
        )
        least = min(found, key=lambda m: _number(m.mean))
        most = max(found, key=lambda m: _number(m.mean))
        yield Chart(
            experiment,
            f"{unit}, {sum(m.values for m in found):,} values",
            f"Monthly mean {quantity} of {experiment}, {_period(first, last)}: lowest "
            f"{least.mean:.1f} {unit} in {least.month:%B %Y}, highest {most.mean:.1f} {unit} in "
            f"{most.month:%B %Y}; single values from {min(_number(m.low) for m in found):.1f} to "
            f"{max(_number(m.high) for m in found):.1f} {unit}.",
            _spec(alt.layer(band, line)),
            ("month", f"mean ({unit})", f"lowest ({unit})", f"highest ({unit})", "values"),
            [(f"{m.month:%Y-%m}", m.mean, m.low, m.high, m.values) for m in found],
        )


def calendar_charts(days: Iterable[Day]) -> Iterator[Chart]:
    """Yield each experiment's last 53 weeks as a calendar; a day without measurements is hollow."""
    by_experiment: dict[str, dict[date, int]] = defaultdict(dict)
    for one in days:
        by_experiment[one.experiment][one.day] = one.measurements
    for experiment, counts in sorted(by_experiment.items()):
        first, last = min(counts), max(counts)
        every = [first + timedelta(number) for number in range((last - first).days + 1)]
        rows = [
            {
                "week": (day - timedelta(day.weekday())).isoformat(),
                "weekday": f"{day:%a}",
                "day": day.isoformat(),
                "measurements": counts.get(day),
            }
            for day in every
        ]
        gaps = _gaps(every, counts)
        # Of many weeks those are labelled that begin a month.
        monday = "toDate(datum.value + 'T12:00')"
        months = f"date({monday}) < 8 ? timeFormat({monday}, '%b') : ''"
        few = len(every) < 60
        base = alt.Chart(_data(rows)).encode(
            alt.X(
                "week:O",
                title="week from Monday",
                axis=alt.Axis(
                    labelExpr=f"timeFormat({monday}, '%d %b')" if few else months,
                    labelAngle=0,
                    labelAlign="left",
                    ticks=False,
                    domain=False,
                    labelOverlap=few,
                ),
            ),
            alt.Y(
                "weekday:O",
                title=None,
                scale=alt.Scale(domain=["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]),
                axis=alt.Axis(ticks=False, domain=False),
            ),
            tooltip=["day:N", "measurements:Q"],
        )
        full = base.transform_filter("isValid(datum.measurements)").mark_rect().encode(
            alt.Color(
                "measurements:Q",
                title="measurements a day",
                scale=alt.Scale(scheme="viridis", domain=[0, max(counts.values())]),
                legend=alt.Legend(
                    orient="bottom", gradientLength=140, gradientThickness=8, tickCount=4
                ),
            )
        )  # fmt: skip
        hollow = base.transform_filter("!isValid(datum.measurements)").mark_rect(
            fill="none", stroke=ALERT, strokeWidth=1, width={"band": 0.7}, height={"band": 0.8}
        )
        missing = len(every) - len(counts)
        yield Chart(
            experiment,
            f"{first} to {last}, {sum(counts.values()):,} measurements",
            f"Measurements of {experiment} by day, {first} to {last}: {len(counts)} days have "
            f"some, {missing} have none; at most {max(counts.values()):,} a day.",
            _spec(alt.layer(full, hollow), 120),
            ("days without measurements: first", "last", "days"),
            gaps or [("none", "", 0)],
            wide=not few,
        )


def distribution_chart(quantity: str, bins: Iterable[Bin], experiments: list[str]) -> Chart | None:
    """Return how the daily means of a quantity are distributed, None if there are none."""
    unit = QUANTITIES[quantity]
    found = [one for one in bins if one.quantity == quantity]
    if not found:
        return None
    rows = [
        {"from": b.low, "to": b.high, "days": b.days, "experiment": b.experiment} for b in found
    ]
    chart = (
        alt.Chart(_data(rows))
        .mark_bar()
        .encode(
            alt.X("from:Q", bin="binned", title=f"daily mean of {quantity} ({unit})"),
            alt.X2("to:Q"),
            alt.Y("days:Q", title="days", stack="zero", axis=_WHOLE),
            _kind("experiment", experiments),
            tooltip=["experiment:N", "from:Q", "to:Q", "days:Q"],
        )
    )
    total: dict[tuple[float, float], int] = defaultdict(int)
    for one in found:
        total[one.low, one.high] += one.days
    (low, high), most = max(total.items(), key=lambda item: item[1])
    return Chart(
        f"Distribution of daily means: {quantity}",
        f"{unit}, {sum(total.values()):,} days",
        f"Daily means of {quantity} lie from {min(total)[0]:g} to {max(total)[1]:g} {unit}; most "
        f"often, on {most:,} days, from {low:g} up to {high:g}.",
        _spec(chart, HEIGHT + 20 * len(experiments)),
        (f"from ({unit})", f"up to ({unit})", "experiment", "days"),
        [(b.low, b.high, b.experiment, b.days) for b in found],
    )


def missing_charts(months: Iterable[Month]) -> Iterator[Chart]:
    """Yield for each experiment which share of its measurements lacks a quantity, by month."""
    for experiment, every in _by_experiment(months):
        found = [m for m in every if m.measurements]
        shares = [100 * (m.measurements - m.values) / m.measurements for m in found]
        rows = [
            {
                "month": m.month.isoformat(),
                "when": f"{m.month:%B %Y}",
                "share": share,
                "quantity": m.quantity,
            }
            for m, share in zip(found, shares, strict=True)
        ]
        if not rows:
            continue
        kinds = list(QUANTITIES)
        top = max(1.0, 1.05 * max(shares))
        chart = (
            alt.Chart(_data(rows))
            .mark_line(point={"size": 22}, strokeWidth=1.8)
            .encode(
                _month(),
                alt.Y("share:Q", title="missing (%)", scale=alt.Scale(domain=[0, top])),
                _kind("quantity", kinds, symbolType="stroke", direction="horizontal"),
                alt.StrokeDash("quantity:N", scale=alt.Scale(domain=kinds)),
                tooltip=["quantity:N", "when:N", "share:Q"],
            )
        )
        missing = sum(m.measurements - m.values for m in found)
        worst, share = max(zip(found, shares, strict=True), key=lambda one: one[1])
        yield Chart(
            experiment,
            f"% of measurements, {missing:,} values missing",
            f"{missing:,} values of {experiment} are missing; the highest share of a month is "
            f"{share:.1f} % of {worst.quantity} in {worst.month:%B %Y}.",
            _spec(chart, HEIGHT + 30),
            ("month", "quantity", "measurements", "missing", "%"),
            [
                (
                    f"{m.month:%Y-%m}",
                    m.quantity,
                    m.measurements,
                    m.measurements - m.values,
                    f"{share:.1f}",
                )
                for m, share in zip(found, shares, strict=True)
            ],
        )


def quarantine_chart(quarantined: Sequence[Quarantined]) -> Chart:
    """Return the rows that are in no fact, by reason."""
    tables = sorted({one.mart for one in quarantined})
    rows = [{"reason": q.reason, "rows": q.rows, "table": q.mart} for q in quarantined]
    chart = (
        alt.Chart(_data(rows))
        .mark_bar()
        .encode(
            alt.X("rows:Q", title="rows", axis=_WHOLE),
            alt.Y("reason:N", title=None, sort="-x"),
            _kind("table", tables),
            tooltip=["table:N", "reason:N", "rows:Q"],
        )
    )
    most = max(quarantined, key=lambda one: one.rows)
    return Chart(
        "Quarantined rows by reason",
        "rows; one with two reasons counts twice",
        f"The most frequent reason is {most.reason} of {most.mart}: {most.rows:,} rows.",
        _spec(chart, 60 + 26 * len({q.reason for q in quarantined}) + 20 * len(tables)),
        ("table", "reason", "rows"),
        [(q.mart, q.reason, q.rows) for q in quarantined],
    )


def anomaly_chart(series: AnomalousSeries) -> Chart:
    """Return a fortnight of a sensor: hourly means on their ranges, and the anomalies."""
    unit = QUANTITIES[series.quantity]
    hours = [
        {"time": _utc(h.hour), "mean": h.mean, "low": _number(h.low), "high": _number(h.high)}
        for h in series.hours
    ]
    found = [
        {
            "time": _utc(a.measured_at),
            "when": f"{a.measured_at} UTC",
            "value": _number(a.value),
            "median": _number(a.median),
            "z": _number(a.robust_z),
        }
        for a in series.anomalies
    ]
    x = alt.X(
        "time:T",
        title="time (UTC)",
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(format="%d %b", labelOverlap=True, grid=False, tickCount="day"),
    )
    y = alt.Y("low:Q", title=f"{series.quantity} ({unit})", scale=alt.Scale(zero=False))
    base = alt.Chart(_data(hours)).encode(x)
    band = base.mark_area(color=COLOURS[0], opacity=0.3).encode(y, alt.Y2("high:Q"))
    line = base.mark_line(color=COLOURS[0], strokeWidth=1.5).encode(alt.Y("mean:Q"))
    marks = (
        alt.Chart(_data(found))
        .mark_point(shape="diamond", color=ALERT, size=30, filled=False)
        .encode(alt.X("time:T"), alt.Y("value:Q"), tooltip=["when:N", "value:Q", "median:Q", "z:Q"])
    )
    farthest = series.anomalies[0]
    return Chart(
        f"{series.sensor}: {series.quantity}",
        f"{unit}, {series.total:,} anomalies in all",
        f"{series.quantity.capitalize()} of sensor {series.sensor} by hour, with "
        f"{len(series.anomalies):,} anomalies; the farthest is {farthest.value:.1f} {unit} at "
        f"{farthest.measured_at} UTC, where the median of that hour of the day is "
        f"{farthest.median:.1f} {unit}.",
        _spec(alt.layer(band, line, marks)),
        ("time (UTC)", f"value ({unit})", f"median of its hour ({unit})", "robust z"),
        [
            (a.measured_at, a.value, a.median, a.robust_z)
            for a in sorted(series.anomalies, key=lambda a: a.measured_at)
        ],
    )


_VERDICTS = {"usual": COLOURS[0], "unusual": ALERT, "too few before it": FAINT}


def batch_chart(batches: Sequence[Batch]) -> Chart:
    """Return the latest batches of each table by their rows, judged by those before them."""
    rows = []
    for table, found in groupby(
        sorted(batches, key=lambda b: (b.source_table, b.loaded_at, b.batch_id)),
        key=lambda b: b.source_table,
    ):
        several = list(found)
        for number, batch in enumerate(several):
            verdict, usual = _judge(batch.rows, [b.rows for b in several[:number]])
            rows.append(
                {
                    "table": table,
                    "batch": batch.batch_id,
                    "when": f"{batch.loaded_at:%Y-%m-%d %H:%M} UTC",
                    "rows": batch.rows,
                    "usual": _range(usual),
                    "verdict": verdict,
                }
            )
    chart = (
        alt.Chart(_data(rows))
        .mark_point(filled=True, size=60, opacity=0.75)
        .encode(
            alt.X("rows:Q", title="rows of a batch", scale=alt.Scale(type="symlog"),
                  axis=alt.Axis(values=[0, 1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9],
                                labelExpr="format(datum.value, '~s')", labelOverlap=True)),
            alt.Y("table:N", title=None),
            _verdict(),
            _verdict_shape(),
            tooltip=["table:N", "batch:N", "when:N", "rows:Q", "usual:N"],
        )
    )  # fmt: skip
    return _judged(
        "Rows per batch, by source table",
        "batches",
        "rows, on a logarithmic scale",
        rows,
        _spec(chart, 70 + 20 * len({row["table"] for row in rows})),
        ("table", "batch", "when", "rows", "usual", "verdict"),
    )


def run_chart(runs: Sequence[Run], kind: str, measure: Literal["rows", "seconds"]) -> Chart:
    """Return the loads or builds over time by `rows` or `seconds`, judged by those before them."""
    values = [float(getattr(run, measure)) for run in runs]
    rows = []
    for number, run in enumerate(runs):
        verdict, usual = _judge(values[number], values[:number])
        rows.append(
            {
                "time": _utc(run.started_at),
                "when": f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC",
                measure: run.rows if measure == "rows" else round(run.seconds, 1),
                "usual": _range(usual),
                "verdict": verdict,
                "low": usual and max(0.0, usual[0]),
                "high": usual and usual[1],
                "outcome": run.outcome,
            }
        )
    base = alt.Chart(_data(rows)).encode(
        alt.X(
            "time:T",
            title=f"start of the {kind} (UTC)",
            scale=alt.Scale(type="utc"),
            axis=alt.Axis(format="%d %b %H:%M", labelOverlap=True, grid=False, tickCount=3),
        )
    )
    title, scale = f"{measure} of a {kind}", alt.Scale(domainMin=0)
    band = base.mark_area(color=FAINT, opacity=0.35, interpolate="step-after").encode(
        alt.Y("low:Q", title=title, scale=scale), alt.Y2("high:Q")
    )
    points = base.mark_point(filled=True, size=60).encode(
        alt.Y(f"{measure}:Q", title=title, scale=scale),
        _verdict(),
        _verdict_shape(),
        tooltip=["when:N", f"{measure}:Q", "usual:N", "outcome:N"],
    )
    judged = any(row["usual"] for row in rows)
    return _judged(
        f"{measure.capitalize()} per {kind}",
        f"{kind}s",
        measure,
        rows,
        _spec(alt.layer(band, points) if judged else points),
        ("when", measure, "usual", "verdict", "outcome"),
    )


def _judged(
    title: str,
    things: str,
    unit: str,
    rows: list[dict[str, Any]],
    spec: dict[str, Any],
    columns: tuple[str, ...],
) -> Chart:
    unusual = sum(row["verdict"] == "unusual" for row in rows)
    return Chart(
        title,
        f"{unit}; {len(rows):,} {things}",
        f"{len(rows):,} {things}, of which {unusual:,} are outside the usual range: the median of "
        f"those before it, more or less {DEVIATIONS} robust deviations.",
        spec,
        columns,
        [tuple(row[column] for column in columns) for row in rows],
        wide=things == "batches",
    )


def _judge(value: float, earlier: Sequence[float]) -> tuple[str, tuple[float, float] | None]:
    """Return the verdict on a value, and the range that is usual after these.

    >>> _judge(9, [1, 2, 3, 4])
    ('too few before it', None)
    >>> _judge(9, [1, 1, 1, 1, 1])
    ('unusual', (0.7, 1.3))
    """
    if len(earlier) < EARLIER_FOR_A_RANGE:
        return "too few before it", None
    middle = median(earlier)
    spread = median(abs(one - middle) for one in earlier)
    # 1.4826 MADs are a deviation of a normal distribution; where all are equal, a tenth is usual.
    deviation = max(1.4826 * spread, 0.1 * middle)
    low, high = middle - DEVIATIONS * deviation, middle + DEVIATIONS * deviation
    return ("usual" if low <= value <= high else "unusual"), (low, high)


def revenue_chart(months: Sequence[RegionMonth]) -> Chart:
    """Return the revenue of each region by month, one on the other."""
    return _sales_chart(months, "revenue", "US dollars", "Revenue by month and region")


def orders_chart(months: Sequence[RegionMonth]) -> Chart:
    """Return the orders of each region by month, one on the other."""
    return _sales_chart(months, "orders", "orders", "Orders by month and region")


def _sales_chart(months: Sequence[RegionMonth], measure: str, unit: str, title: str) -> Chart:
    regions = sorted({one.region for one in months})
    rows = [
        {
            "month": one.month.isoformat(),
            "when": f"{one.month:%B %Y}",
            "region": one.region,
            measure: _number(getattr(one, measure)),
        }
        for one in months
    ]
    chart = (
        alt.Chart(_data(rows))
        .mark_bar(width={"band": 0.86})
        .encode(
            _month(),
            alt.Y(f"{measure}:Q", title=unit, stack="zero"),
            _kind("region", regions),
            tooltip=["region:N", "when:N", f"{measure}:Q"],
        )
    )
    total: dict[date, Decimal] = defaultdict(Decimal)
    for one in months:
        total[one.month] += Decimal(getattr(one, measure))
    least, most = (f(total, key=lambda month: total[month]) for f in (min, max))
    return Chart(
        title,
        f"{unit}, {sum(one.sales for one in months):,} sales",
        f"{title} in {unit}, {_period(min(total), max(total))}: least in {least:%B %Y} "
        f"({total[least]:,}), most in {most:%B %Y} ({total[most]:,}).",
        _spec(chart, HEIGHT + 60),
        ("month", "region", unit, "sales"),
        [(f"{m.month:%Y-%m}", m.region, getattr(m, measure), m.sales) for m in months],
    )


def years_chart(years: Sequence[tuple[int, int]]) -> Chart:
    """Return the papers by year of publication."""
    rows = [{"year": year, "end": year + 1, "papers": papers} for year, papers in years]
    chart = (
        alt.Chart(_data(rows))
        .mark_bar(color=COLOURS[0])
        .encode(
            alt.X("year:Q", bin="binned", title="year of publication",
                  axis=alt.Axis(format="d", labelOverlap=True, grid=False)),
            alt.X2("end:Q"),
            alt.Y("papers:Q", title="papers", axis=_WHOLE),
            tooltip=["year:Q", "papers:Q"],
        )
    )  # fmt: skip
    year, most = max(years, key=lambda one: one[1])
    return Chart(
        "Papers by year of publication",
        f"papers, {sum(papers for _, papers in years):,} in all",
        f"Papers published from {years[0][0]} to {years[-1][0]}; most in {year}: {most:,}.",
        _spec(chart),
        ("year", "papers"),
        years,
    )


def most_frequent_chart(title: str, thing: str, counts: Sequence[tuple[str, int]]) -> Chart:
    """Return the most frequent journals or keywords by their papers."""
    rows = [{"name": name, "papers": papers} for name, papers in counts]
    chart = (
        alt.Chart(_data(rows))
        .mark_bar(color=COLOURS[0])
        .encode(
            alt.X("papers:Q", title="papers", axis=_WHOLE),
            alt.Y("name:N", title=None, sort="-x"),
            tooltip=["name:N", "papers:Q"],
        )
    )
    return Chart(
        title,
        "papers",
        f"The {thing} with the most papers is {counts[0][0]}, with {counts[0][1]:,}.",
        _spec(chart, 50 + 22 * len(rows)),
        (thing, "papers"),
        counts,
    )


def _data(rows: list[dict[str, Any]]) -> alt.InlineData:
    return alt.InlineData(values=rows)


def _spec(chart: Any, height: int = HEIGHT) -> dict[str, Any]:
    """Return the chart as Vega-Lite, as wide as its place; looks and version are the page's."""
    spec: dict[str, Any] = chart.properties(width="container", height=height).to_dict()
    return {name: value for name, value in spec.items() if name not in ("config", "$schema")}


def _month() -> alt.X:
    return alt.X(
        "month:T",
        timeUnit="utcyearmonth",
        title="month (UTC)",
        axis=alt.Axis(format="%b %Y", labelOverlap=True, grid=False),
        bandPosition=0.5,
    )


def _kind(name: str, kinds: list[str], **looks: Any) -> alt.Color:
    """Return colours for kinds, always the same ones for the same list, and their legend."""
    looks = {"direction": "vertical", **looks}
    legend = alt.Legend(orient="bottom", title=None, labelLimit=260, **looks)
    return alt.Color(f"{name}:N", scale=alt.Scale(domain=kinds, range=COLOURS), legend=legend)


def _verdict() -> alt.Color:
    return alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=list(_VERDICTS), range=list(_VERDICTS.values())),
        legend=alt.Legend(orient="bottom", title=None),
    )


def _verdict_shape() -> alt.Shape:
    scale = alt.Scale(domain=list(_VERDICTS), range=["circle", "diamond", "circle"])
    return alt.Shape("verdict:N", scale=scale)


def _range(usual: tuple[float, float] | None) -> str:
    return f"{max(0.0, usual[0]):,.1f} to {usual[1]:,.1f}" if usual else ""


def _by_experiment(months: Iterable[Month]) -> Iterator[tuple[str, list[Month]]]:
    found: dict[str, list[Month]] = defaultdict(list)
    for one in months:
        found[one.experiment].append(one)
    yield from sorted(found.items())


def _gaps(every: Sequence[date], counts: dict[date, int]) -> list[tuple[object, ...]]:
    """Return the first and last day of each gap, and its days."""
    gaps = [list(days) for empty, days in groupby(every, lambda day: day not in counts) if empty]
    return [(days[0], days[-1], len(days)) for days in gaps]


def _months_between(first: date, last: date) -> Iterator[date]:
    """Yield the first days of the months from `first` to `last`.

    >>> [f"{month:%Y-%m}" for month in _months_between(date(2013, 11, 1), date(2014, 1, 1))]
    ['2013-11', '2013-12', '2014-01']
    """
    month = first
    while month <= last:
        yield month
        month = (month + timedelta(days=31)).replace(day=1)


def _period(first: date, last: date) -> str:
    same = (first.year, first.month) == (last.year, last.month)
    return f"{first:%B %Y}" if same else f"{first:%B %Y} to {last:%B %Y}"


def _short(rows: int) -> str:
    """Return a number of rows for a place that is not wide.

    >>> _short(1_234_567), _short(1_234_567_890_123)
    ('1,234,567', '1,234,568 M')
    """
    return f"{rows:,}" if rows < 10_000_000 else f"{rows / 1e6:,.0f} M"


def _utc(time: datetime) -> str:
    return time.isoformat() + "Z"  # without it a browser takes its own zone


def _number(value: Any) -> float:
    return float(value)
