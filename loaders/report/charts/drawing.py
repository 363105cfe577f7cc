"""What all charts are made of: Vega-Lite with a title, a unit, a text instead, and the numbers.

Colours of kinds are CSS variables of the page, so that they follow its light and dark mode; they
are those of Okabe and Ito, which the colour-blind can tell apart. Amounts are drawn in viridis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import altair as alt

from loaders.report.figures import Month

COLOURS = [f"var(--kind-{number})" for number in range(1, 9)]
INK, FAINT, ALERT = "var(--ink)", "var(--faint)", "var(--alert)"
HEIGHT = 170  # pixels, where the rows do not say another one
SHOWN_NUMBERS = 200  # rows of the table below a chart

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
    # Beyond the axis by so many pixels and no more: the edge of the place would cut a label there.
    "axisX": {"labelBound": 4, "labelSeparation": 6},
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
WHOLE = alt.Axis(labelExpr="datum.value % 1 ? '' : format(datum.value, ',')")


def inline(rows: list[dict[str, Any]]) -> alt.InlineData:
    """Return rows as the data of a chart."""
    return alt.InlineData(values=rows)


def specification(chart: Any, height: int = HEIGHT) -> dict[str, Any]:
    """Return the chart as Vega-Lite, as wide as its place; looks and version are the page's."""
    spec: dict[str, Any] = chart.properties(width="container", height=height).to_dict()
    return {name: value for name, value in spec.items() if name not in ("config", "$schema")}


def month_axis() -> alt.X:
    """Return the months of `month`, in UTC."""
    return alt.X(
        "month:T",
        timeUnit="utcyearmonth",
        title="month (UTC)",
        axis=alt.Axis(format="%b %Y", labelOverlap=True, grid=False),
        bandPosition=0.5,
    )


def colour_of(name: str, kinds: list[str], **looks: Any) -> alt.Color:
    """Return colours for kinds, always the same ones for the same list, and their legend."""
    looks = {"direction": "vertical", **looks}
    legend = alt.Legend(orient="bottom", title=None, labelLimit=200, **looks)
    return alt.Color(f"{name}:N", scale=alt.Scale(domain=kinds, range=COLOURS), legend=legend)


def by_experiment(months: Iterable[Month]) -> Iterator[tuple[str, list[Month]]]:
    """Yield the experiments by name, each with its months."""
    found: dict[str, list[Month]] = defaultdict(list)
    for one in months:
        found[one.experiment].append(one)
    yield from sorted(found.items())


def period(first: date, last: date) -> str:
    """Return the months from `first` to `last` in words."""
    same = (first.year, first.month) == (last.year, last.month)
    return f"{first:%B %Y}" if same else f"{first:%B %Y} to {last:%B %Y}"


def utc(time: datetime) -> str:
    """Return a time in UTC as a chart reads it."""
    return time.isoformat() + "Z"  # without it a browser takes its own zone


def as_number(value: Any) -> float:
    """Return a decimal as a chart reads it."""
    return float(value)
