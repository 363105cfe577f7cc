"""Marts compared with what an oracle says, on one warehouse or on both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.project.both import Both
from tests.project.desk import Desk

Rows = Sequence[Mapping[str, Any]]


def check(desk: Desk, expected: Mapping[str, Rows]) -> None:
    """Check that the marts have these rows, the columns of the load aside."""
    for mart, rows in expected.items():
        with (
            desk.project.warehouse() as warehouse,
            warehouse.query(f"select * from research_warehouse.{mart}") as it,
        ):
            found = [
                {n: v for n, v in zip(it.columns, row, strict=True) if not n.startswith("_")}
                for row in it.rows
            ]
        actual, wanted = _counted(found), _counted(rows)
        _same(mart, actual, wanted)


def check_both(both: Both, step: int, expected: Mapping[str, Rows]) -> None:
    """Check that both warehouses have these rows: by their values, columns have no names there."""
    for mart, rows in expected.items():
        wanted = Counter(tuple(sorted(repr(value) for value in row.values())) for row in rows)
        for seen in (both.postgres[step], both.redshift[step]):
            found = Counter({tuple(sorted(row)): n for row, n in seen[mart].items()})
            _same(mart, found, wanted)


def check_daily_counts(desk: Desk) -> None:
    """Check that daily_fact_counts has the facts of sales, orders and observations as they are now.

    And that data_quality_daily watches them.
    """
    counted = desk.rows("select table_name, day, fact_count, amount from daily_fact_counts")
    facts = desk.rows(
        "select 'fact_sales', sold_at::date, count(*), sum(amount) from fact_sales group by 1, 2 "
        "union all select 'fact_order_lines', ordered_at::date, count(*), sum(amount) "
        "from fact_order_lines group by 1, 2 "
        "union all select 'fact_observations.' || source_system, observed_at::date, count(*), null "
        "from fact_observations where observed_at is not null group by 1, 2"
    )
    assert counted
    _same("daily_fact_counts", Counter(counted), Counter(facts))
    watched = desk.rows(
        "select table_name, day, value from data_quality_daily where measure = 'facts'"
    )
    assert Counter(watched) == Counter((table, day, n) for table, day, n, _ in counted)


def _counted(rows: Rows) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(sorted(row.items())) for row in rows)


def _same(mart: str, actual: Counter[Any], wanted: Counter[Any]) -> None:
    missing, extra = wanted - actual, actual - wanted
    assert not missing and not extra, f"{mart}: missing {missing}, too many {extra}"  # noqa: PT018
