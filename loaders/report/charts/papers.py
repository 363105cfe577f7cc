"""The charts of the page Papers."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from loaders.report.charts.drawing import (
    COLOURS,
    WHOLE,
    Chart,
    inline,
    specification,
)


def years_chart(years: Sequence[tuple[int, int]]) -> Chart:
    """Return the papers by year of publication."""
    rows = [{"year": year, "end": year + 1, "papers": papers} for year, papers in years]
    chart = (
        alt.Chart(inline(rows))
        .mark_bar(color=COLOURS[0])
        .encode(
            alt.X("year:Q", bin="binned", title="year of publication",
                  axis=alt.Axis(format="d", labelOverlap=True, grid=False)),
            alt.X2("end:Q"),
            alt.Y("papers:Q", title="papers", axis=WHOLE),
            tooltip=["year:Q", "papers:Q"],
        )
    )  # fmt: skip
    year, most = max(years, key=lambda one: one[1])
    return Chart(
        "Papers by year of publication",
        f"papers, {sum(papers for _, papers in years):,} in all",
        f"Papers published from {years[0][0]} to {years[-1][0]}; most in {year}: {most:,}.",
        specification(chart),
        ("year", "papers"),
        years,
    )


def most_frequent_chart(title: str, thing: str, counts: Sequence[tuple[str, int]]) -> Chart:
    """Return the most frequent journals or keywords by their papers."""
    rows = [{"name": name, "papers": papers} for name, papers in counts]
    chart = (
        alt.Chart(inline(rows))
        .mark_bar(color=COLOURS[0])
        .encode(
            alt.X("papers:Q", title="papers", axis=WHOLE),
            alt.Y("name:N", title=None, sort="-x"),
            tooltip=["name:N", "papers:Q"],
        )
    )
    return Chart(
        title,
        "papers",
        f"The {thing} with the most papers is {counts[0][0]}, with {counts[0][1]:,}.",
        specification(chart, 50 + 22 * len(rows)),
        (thing, "papers"),
        counts,
    )
