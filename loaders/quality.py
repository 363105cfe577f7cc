"""What the mart data_quality_daily says is not as usual."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from loaders.warehouse.database import Database

# ruff: noqa: S608  # only table names, quoted, and numbers are put into the statements

MART = "data_quality_daily"
RECENT_DAYS = 35  # dbt_project.yml: quality_warn_days


@dataclass(frozen=True)
class Breach:
    """A value that is not in its expected range; its id is the same whoever looks, and when."""

    breach_id: str
    table_name: str
    day: date
    kind: str
    measure: str
    value: Decimal
    expected_low: Decimal | None
    expected_high: Decimal | None
    verdict: str  # "low" or "high"

    @property
    def text(self) -> str:
        """One line for a person."""
        bounds = [("at least", self.expected_low), ("at most", self.expected_high)]
        expected = " and ".join(f"{word} {bound:f}" for word, bound in bounds if bound is not None)
        return (
            f"{self.table_name}, {self.day}: {self.measure} is {self.value:f}, expected {expected}"
        )


@dataclass(frozen=True)
class Quality:
    """The breaches found in some days; `judged_on` is the UTC day of the build that looked last."""

    judged_on: date
    is_current: bool  # judged_on is today
    breaches: tuple[Breach, ...]


def recent_quality(db: Database, days: int = RECENT_DAYS) -> Quality | None:
    """Return the breaches that were found in the last `days` days, the newest first.

    Found, since the day of a measurement may be long past when its export comes. None when nothing
    has been judged yet, or when the user may not read the mart.
    """
    mart = db.schemas.marts(MART)
    if not db.fetch(
        "select table_name from information_schema.tables "
        "where table_schema = %s and table_name = %s",
        (mart.schema, mart.name),
    ):
        return None
    ((judged_on, is_current),) = db.fetch(
        f"select max(day), max(day) >= cast({db.now} as date) "
        f"from {mart.sql} where kind = 'freshness'"
    )
    if judged_on is None:
        return None
    rows = db.fetch(
        "select table_name, day, kind, measure, value, expected_low, expected_high, verdict "
        f"from {mart.sql} where verdict in ('low', 'high') "
        f"and coalesce(_judged_at, day) >= cast({db.now} as date) - {days:d} "
        "order by coalesce(_judged_at, day) desc, day desc, table_name, measure"
    )
    return Quality(judged_on, bool(is_current), tuple(map(_breach, rows)))


def _breach(row: tuple[Any, ...]) -> Breach:
    table_name, day, _, measure, *_, verdict = row
    text = "|".join((table_name, day.isoformat(), measure, verdict))
    return Breach(hashlib.sha256(text.encode()).hexdigest()[:32], *row)
