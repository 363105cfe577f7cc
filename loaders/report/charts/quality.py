"""The charts of the page Quality."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import altair as alt

from loaders.report.charts.drawing import (
    ALERT,
    COLOURS,
    FAINT,
    HEIGHT,
    WHOLE,
    Chart,
    as_number,
    by_experiment,
    colour_of,
    inline,
    month_axis,
    specification,
    utc,
)
from loaders.report.figures import (
    QUANTITIES,
    AnomalousSeries,
    Drift,
    JudgedDay,
    Month,
    Quarantined,
)


def missing_charts(months: Iterable[Month]) -> Iterator[Chart]:
    """Yield for each experiment which share of its measurements lacks a quantity, by month."""
    for experiment, every in by_experiment(months):
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
            alt.Chart(inline(rows))
            .mark_line(point={"size": 22}, strokeWidth=1.8)
            .encode(
                month_axis(),
                alt.Y("share:Q", title="missing (%)", scale=alt.Scale(domain=[0, top])),
                colour_of("quantity", kinds, symbolType="stroke", direction="horizontal"),
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
            specification(chart, HEIGHT + 30),
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
        alt.Chart(inline(rows))
        .mark_bar()
        .encode(
            alt.X("rows:Q", title="rows", axis=WHOLE),
            alt.Y("reason:N", title=None, sort="-x"),
            colour_of("table", tables),
            tooltip=["table:N", "reason:N", "rows:Q"],
        )
    )
    most = max(quarantined, key=lambda one: one.rows)
    return Chart(
        "Quarantined rows by reason",
        "rows; one with two reasons counts twice",
        f"The most frequent reason is {most.reason} of {most.mart}: {most.rows:,} rows.",
        specification(chart, 60 + 26 * len({q.reason for q in quarantined}) + 20 * len(tables)),
        ("table", "reason", "rows"),
        [(q.mart, q.reason, q.rows) for q in quarantined],
    )


def drift_chart(drift: Drift) -> Chart:
    """Return the median of a quantity by day on its expected range, and the days outside of it."""
    unit = QUANTITIES[drift.quantity]
    by_day = {one.day: one for one in drift.days}
    first, last = drift.days[0].day, drift.days[-1].day
    rows: list[dict[str, Any]] = []
    for place in range((last - first).days + 1):
        day = first + timedelta(place)
        row: dict[str, Any] = {"day": day.isoformat(), "when": str(day)}
        if one := by_day.get(day):  # a day without values breaks the line
            values = {"median": one.value, "low": one.low, "high": one.high}
            row |= {name: as_number(v) for name, v in values.items() if v is not None}
            row["verdict"] = one.verdict
        rows.append(row)
    base = alt.Chart(inline(rows)).encode(
        alt.X(
            "day:T",
            timeUnit="utcyearmonthdate",
            title="day (UTC)",
            axis=alt.Axis(format="%d %b %Y", labelOverlap=True, grid=False, tickCount=3),
        ),
        tooltip=["when:N", "median:Q", "low:Q", "high:Q", "verdict:N"],
    )
    looks: dict[str, Any] = {
        "title": f"median {drift.quantity} ({unit})",
        "scale": alt.Scale(zero=False),
    }
    band = base.mark_area(color=FAINT, opacity=0.35).encode(
        alt.Y("low:Q", **looks), alt.Y2("high:Q")
    )
    line = base.mark_line(color=COLOURS[0], strokeWidth=1.5).encode(alt.Y("median:Q", **looks))
    marks = (
        base.transform_filter("datum.verdict === 'low' || datum.verdict === 'high'")
        .mark_point(shape="diamond", color=ALERT, size=60, filled=True)
        .encode(alt.Y("median:Q"))
    )
    judged = sum(one.verdict != "not_judged" for one in drift.days)
    breaches = drift.breaches
    newest = breaches and (
        f"; the newest on {breaches[-1].day}, {breaches[-1].value:.1f} {unit}, where "
        f"{_expected(breaches[-1])} was expected"
    )
    return Chart(
        f"{drift.source}: {drift.quantity}",
        f"{unit}, {len(drift.days):,} days",
        f"Median {drift.quantity} of {drift.source} by day, {first} to {last}: {judged:,} days "
        f"are judged, {len(breaches):,} are outside of the expected range{newest or ''}.",
        specification(alt.layer(band, line, marks) if judged else line),
        ("day", f"median ({unit})", f"from ({unit})", f"to ({unit})", "verdict"),
        [(one.day, one.value, one.low, one.high, one.verdict) for one in drift.days],
    )


def _expected(day: JudgedDay) -> str:
    bounds = [("at least", day.low), ("at most", day.high)]
    return " and ".join(f"{word} {bound:.1f}" for word, bound in bounds if bound is not None)


def anomaly_chart(series: AnomalousSeries) -> Chart:
    """Return a fortnight of a sensor: hourly means on their ranges, and the anomalies."""
    unit = QUANTITIES[series.quantity]
    hours = [
        {"time": utc(h.hour), "mean": h.mean, "low": as_number(h.low), "high": as_number(h.high)}
        for h in series.hours
    ]
    found = [
        {
            "time": utc(a.measured_at),
            "when": f"{a.measured_at} UTC",
            "value": as_number(a.value),
            "median": as_number(a.median),
            "z": as_number(a.robust_z),
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
    base = alt.Chart(inline(hours)).encode(x)
    band = base.mark_area(color=COLOURS[0], opacity=0.3).encode(y, alt.Y2("high:Q"))
    line = base.mark_line(color=COLOURS[0], strokeWidth=1.5).encode(alt.Y("mean:Q"))
    marks = (
        alt.Chart(inline(found))
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
        specification(alt.layer(band, line, marks)),
        ("time (UTC)", f"value ({unit})", f"median of its hour ({unit})", "robust z"),
        [
            (a.measured_at, a.value, a.median, a.robust_z)
            for a in sorted(series.anomalies, key=lambda a: a.measured_at)
        ],
    )
