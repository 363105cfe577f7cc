"""The charts of the page Sales."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import altair as alt

from loaders.report.charts.drawing import (
    HEIGHT,
    Chart,
    as_number,
    colour_of,
    inline,
    month_axis,
    period,
    specification,
)
from loaders.report.figures import RegionMonth


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
            measure: as_number(getattr(one, measure)),
        }
        for one in months
    ]
    chart = (
        alt.Chart(inline(rows))
        .mark_bar(width={"band": 0.86})
        .encode(
            month_axis(),
            alt.Y(f"{measure}:Q", title=unit, stack="zero"),
            colour_of("region", regions),
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
        f"{title} in {unit}, {period(min(total), max(total))}: least in {least:%B %Y} "
        f"({total[least]:,}), most in {most:%B %Y} ({total[most]:,}).",
        specification(chart, HEIGHT + 60),
        ("month", "region", unit, "sales"),
        [(f"{m.month:%Y-%m}", m.region, getattr(m, measure), m.sales) for m in months],
    )
