"""The charts of the page Loads: each load beside what those before it make usual."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from statistics import median
from typing import Any, Literal

import altair as alt

from loaders.report.charts.drawing import (
    ALERT,
    COLOURS,
    FAINT,
    Chart,
    inline,
    specification,
    utc,
)
from loaders.report.figures import Batch, Run

EARLIER_FOR_A_RANGE = 5
DEVIATIONS = 3
LEAST_SECONDS = 1.0  # so much more or less is a busy machine

Measure = Literal["rows", "seconds"]
MEASURES: tuple[Measure, ...] = ("rows", "seconds")
_LEAST: dict[Measure, float] = {"rows": 0, "seconds": LEAST_SECONDS}
_VERDICTS = {"usual": COLOURS[0], "unusual": ALERT, "not judged": FAINT}


_AXES = {
    "rows": alt.Axis(
        values=[0, 1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9],
        labelExpr="format(datum.value, '~s')",
        labelOverlap=True,
    ),
    "seconds": alt.Axis(
        values=[0, 0.1, 1, 10, 60, 600, 3600],
        labelExpr="format(datum.value, '~g')",
        labelOverlap=True,
    ),
}


def batch_chart(batches: Sequence[Batch], measure: Measure) -> Chart | None:
    """Return the latest batches of each table by `rows` or `seconds`, judged by those before them.

    None if none has this measure.
    """
    rows = []
    for table, found in groupby(
        sorted(batches, key=lambda b: (b.source_table, b.loaded_at, b.batch_id)),
        key=lambda b: b.source_table,
    ):
        several = [batch for batch in found if getattr(batch, measure) is not None]
        values = [float(getattr(batch, measure)) for batch in several]
        for place, batch in enumerate(several):
            verdict, usual = _judge(values[place], values[:place], _LEAST[measure])
            rows.append(
                {
                    "table": table,
                    "batch": batch.batch_id,
                    "when": f"{batch.loaded_at:%Y-%m-%d %H:%M} UTC",
                    measure: getattr(batch, measure),
                    "usual": _range(usual),
                    "verdict": verdict,
                }
            )
    if not rows:
        return None
    scale = alt.Scale(type="symlog", constant=1 if measure == "rows" else 0.1)
    chart = (
        alt.Chart(inline(rows))
        .mark_point(filled=True, size=60, opacity=0.75)
        .encode(
            alt.X(f"{measure}:Q", title=measure, scale=scale, axis=_AXES[measure]),
            alt.Y("table:N", title=None),
            _verdict(),
            _verdict_shape(),
            tooltip=["table:N", "batch:N", "when:N", f"{measure}:Q", "usual:N"],
        )
    )
    return _judged(
        f"{measure.capitalize()} per batch, by source table",
        "batches",
        f"{measure}, on a logarithmic scale",
        rows,
        specification(chart, 70 + 20 * len({row["table"] for row in rows})),
        ("table", "batch", "when", measure, "usual", "verdict"),
    )


def run_chart(runs: Sequence[Run], kind: str, measure: Measure) -> Chart:
    """Return the loads or builds over time by `rows` or `seconds`, judged by those before them."""
    values = [float(getattr(run, measure)) for run in runs]
    rows = []
    for number, run in enumerate(runs):
        verdict, usual = _judge(values[number], values[:number])
        rows.append(
            {
                "time": utc(run.started_at),
                "when": f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC",
                measure: run.rows if measure == "rows" else round(run.seconds, 1),
                "usual": _range(usual),
                "verdict": verdict,
                "low": usual and max(0.0, usual[0]),
                "high": usual and usual[1],
                "outcome": run.outcome,
            }
        )
    base = alt.Chart(inline(rows)).encode(
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
        specification(alt.layer(band, points) if judged else points),
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


def _judge(
    value: float, earlier: Sequence[float], least: float = 0
) -> tuple[str, tuple[float, float] | None]:
    """Return the verdict on a value, and the range that is usual after these.

    It reaches at least `least` to both sides.

    >>> _judge(9, [1, 2, 3, 4])
    ('not judged', None)
    >>> _judge(9, [1, 1, 1, 1, 1])
    ('unusual', (0.7, 1.3))
    """
    if len(earlier) < EARLIER_FOR_A_RANGE:
        return "not judged", None
    middle = median(earlier)
    spread = median(abs(one - middle) for one in earlier)
    # 1.4826 MADs are a deviation of a normal distribution; where all are equal, a tenth is usual.
    deviation = max(1.4826 * spread, 0.1 * middle)
    width = max(DEVIATIONS * deviation, least)
    low, high = middle - width, middle + width
    return ("usual" if low <= value <= high else "unusual"), (low, high)


def _verdict() -> alt.Color:
    return alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=list(_VERDICTS), range=list(_VERDICTS.values())),
        legend=alt.Legend(orient="bottom", title=None, direction="vertical"),
    )


def _verdict_shape() -> alt.Shape:
    scale = alt.Scale(domain=list(_VERDICTS), range=["circle", "diamond", "circle"])
    return alt.Shape("verdict:N", scale=scale)


def _range(usual: tuple[float, float] | None) -> str:
    return f"{max(0.0, usual[0]):,.1f} to {usual[1]:,.1f}" if usual else ""
