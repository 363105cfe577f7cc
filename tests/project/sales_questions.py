"""The five standing questions about sales, answered in plain Python from the oracle's marts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.project.desk import ROOT

Row = dict[str, Any]
Answer = list[tuple[Any, ...]]


def check_questions(
    query: Callable[[str], list[tuple[Any, ...]]], marts: Mapping[str, Sequence[Row]]
) -> None:
    """Check that each analysis, asked by `query`, gives the answer, in order."""
    for name, expected in _answers(marts).items():
        found = query((ROOT / "analyses" / f"{name}.sql").read_text())
        assert expected, name
        assert (name, list(map(_plain, found))) == (name, list(map(_plain, expected)))


def _plain(row: Sequence[Any]) -> tuple[str, ...]:
    """Return values as text: dbt's table has numbers of its own kind."""
    return tuple(
        str(Decimal(value).normalize()) if isinstance(value, int | float | Decimal)
        else str(value).partition(" 00:00:00")[0]
        for value in row
    )  # fmt: skip


def _answers(marts: Mapping[str, Sequence[Row]]) -> dict[str, Answer]:
    facts = marts["fact_sales"]
    last = max(fact["sold_at"] for fact in facts)
    product = {row["product_key"]: row for row in marts["dim_products"]}
    customer = {row["customer_key"]: row for row in marts["dim_customers"]}

    def orders(group: Sequence[Row]) -> int:
        return len({fact["order_id"] for fact in group})

    def revenue(group: Sequence[Row]) -> Decimal:
        return sum((fact["amount"] for fact in group), Decimal(0))

    def best(rows: Answer, at: int) -> Answer:
        """Order by the revenue at that place, then by the first value, nulls last."""
        return sorted(rows, key=lambda row: (-row[at], row[0] is None, row[0] or ""))

    dated = [fact | {"month": fact["sold_at"].date().replace(day=1)} for fact in facts]
    since = 12 * last.year + last.month - 5
    recent = [row for row in dated if 12 * row["month"].year + row["month"].month >= since]
    return {
        "sales_by_region": best(
            [
                (
                    region, orders(group), revenue(group),
                    (revenue(group) / orders(group)).quantize(Decimal("0.01"), ROUND_HALF_UP),
                )
                for region, group in _by(facts, "region").items()
            ],
            2,
        ),
        "top_products_by_revenue": best(
            [
                (
                    key, product[at]["current_product_name"], product[at]["current_category"],
                    sum(fact["quantity"] for fact in group), revenue(group),
                )
                for key, group in _by(facts, "product_id").items()
                if key is not None
                for at in [group[0]["product_key"]]
            ],
            4,
        )[:5],
        "sales_of_the_last_six_months": sorted(
            (month, orders(group), revenue(group))
            for month, group in _by(recent, "month").items()
        ),
        "sales_representatives_by_revenue": best(
            [
                (rep or "(unknown)", orders(group), revenue(group))
                for rep, group in _by(facts, "sales_rep").items()
            ],
            2,
        ),
        "top_customers_by_revenue": best(
            [
                (
                    key, customer[at]["current_customer_name"], customer[at]["current_city"],
                    customer[at]["current_state"], orders(group), revenue(group),
                )
                for key, group in _by(facts, "customer_id").items()
                if key is not None
                for at in [group[0]["customer_key"]]
            ],
            5,
        )[:10],
    }  # fmt: skip


def _by(facts: Sequence[Row], name: str) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = defaultdict(list)
    for fact in facts:
        found[fact[name]].append(fact)
    return found
