"""The charts of the page Measurements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import groupby

import altair as alt

from loaders.report.charts.drawing import (
    ALERT,
    COLOURS,
    HEIGHT,
    WHOLE,
    Chart,
    as_number,
    by_experiment,
    colour_of,
    inline,
    month_axis,
    period,
    specification,
)
from loaders.report.figures import QUANTITIES, Bin, Day, Month


def month_charts(quantity: str, months: Iterable[Month]) -> Iterator[Chart]:
    """Yield a quantity's months of each experiment: means on their ranges, on one scale."""
    unit = QUANTITIES[quantity]
    valued = [m for m in months if m.quantity == quantity and m.low is not None]
    if not valued:
        return
    low, high = min(as_number(m.low) for m in valued), max(as_number(m.high) for m in valued)
    scale = alt.Scale(domain=[low, high], zero=False, nice=True)
    for experiment, found in by_experiment(valued):
        first, last = found[0].month, found[-1].month
        by_month = {m.month: m for m in found}
        rows = [
            {
                # A month without values breaks the line.
                "month": month.isoformat(),
                "when": f"{month:%B %Y}",
                "mean": as_number(by_month[month].mean) if month in by_month else None,
                "low": as_number(by_month[month].low) if month in by_month else None,
                "high": as_number(by_month[month].high) if month in by_month else None,
            }
            for month in _months_between(first, last)
        ]
        base = alt.Chart(inline(rows)).encode(
            month_axis(),
            tooltip=["when:N", "mean:Q", "low:Q", "high:Q"],
        )
        band = base.mark_bar(color=COLOURS[0], opacity=0.3, width={"band": 0.86}).encode(
            alt.Y("low:Q", title=f"{quantity} ({unit})", scale=scale), alt.Y2("high:Q")
        )
        point = alt.OverlayMarkDef(color=COLOURS[0], size=22)
        line = base.mark_line(color=COLOURS[0], point=point, strokeWidth=1.8).encode(
            alt.Y("mean:Q")
        )
        least = min(found, key=lambda m: as_number(m.mean))
        most = max(found, key=lambda m: as_number(m.mean))
        yield Chart(
            experiment,
            f"{unit}, {sum(m.values for m in found):,} values",
            f"Monthly mean {quantity} of {experiment}, {period(first, last)}: lowest "
            f"{least.mean:.1f} {unit} in {least.month:%B %Y}, highest {most.mean:.1f} {unit} in "
            f"{most.month:%B %Y}; single values from {min(as_number(m.low) for m in found):.1f} to "
            f"{max(as_number(m.high) for m in found):.1f} {unit}.",
            specification(alt.layer(band, line)),
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
        base = alt.Chart(inline(rows)).encode(
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
            specification(alt.layer(full, hollow), 120),
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
        alt.Chart(inline(rows))
        .mark_bar()
        .encode(
            alt.X("from:Q", bin="binned", title=f"daily mean of {quantity} ({unit})"),
            alt.X2("to:Q"),
            alt.Y("days:Q", title="days", stack="zero", axis=WHOLE),
            colour_of("experiment", experiments),
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
        specification(chart, HEIGHT + 20 * len(experiments)),
        (f"from ({unit})", f"up to ({unit})", "experiment", "days"),
        [(b.low, b.high, b.experiment, b.days) for b in found],
    )


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
