"""The charts of the page Overview."""

from __future__ import annotations

from typing import Any

import altair as alt

from loaders.report.charts.drawing import (
    ALERT,
    COLOURS,
    FAINT,
    INK,
    Chart,
    inline,
    specification,
)
from loaders.report.figures import Flow

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
    along = alt.X("x:Q", axis=axis, scale=alt.Scale(domain=[0, 4.2], nice=False))
    scale = alt.Scale(domain=[-marts + gap / 2, gap / 4], nice=False, zero=False)
    colours = alt.Scale(domain=list(fates), range=[_FATES[fate] for fate in fates])
    band = (
        alt.Chart(inline(bands))
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
        alt.Chart(inline(labels))
        .mark_text(align="left", fill=INK)
        .encode(alt.X("x:Q"), alt.Y("y:Q"), alt.Text("text:N"))
    )
    words = ", ".join(f"{rows:,} {fate}" for fate, rows in fates.items())
    return Chart(
        f"{flow.subject}: from files to marts",
        f"{flow.read:,} records",
        f"Of {flow.read:,} records in the loaded files of {flow.subject.lower()}: {words}.",
        specification(alt.layer(band, label), 50 + 30 * len(fates)),
        ("what became of them", "records"),
        list(fates.items()),
    )


def _short(rows: int) -> str:
    """Return a number of rows for a place that is not wide.

    >>> _short(1_234_567), _short(1_234_567_890_123)
    ('1,234,567', '1,234,568 M')
    """
    return f"{rows:,}" if rows < 10_000_000 else f"{rows / 1e6:,.0f} M"
