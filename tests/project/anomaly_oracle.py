"""Anomalies of sensors, in plain Python: robust z-scores after Iglewicz and Hoaglin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Any

FACTOR, THRESHOLD, AT_LEAST = Decimal("0.6745"), Decimal("3.5"), 20
QUANTITIES = ("temperature", "pressure", "humidity")
KEPT = ("measurement_key", "measurement_id", "sensor_key", "sensor_id", "measured_at")


def anomalies(facts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of measurement_anomalies for rows of fact_measurements."""
    groups: dict[tuple[str, int, str], list[Mapping[str, Any]]] = defaultdict(list)
    for fact in facts:
        for quantity in QUANTITIES:
            if fact["sensor_id"] is not None and fact[quantity] is not None:
                groups[fact["sensor_id"], fact["measured_at"].hour, quantity].append(fact)
    found = []
    for (_, hour, quantity), group in groups.items():
        middle = median(fact[quantity] for fact in group)
        spread = median(abs(fact[quantity] - middle) for fact in group)
        if len(group) < AT_LEAST or spread == 0:
            continue
        for fact in group:
            score = FACTOR * (fact[quantity] - middle) / spread
            if abs(score) > THRESHOLD:
                found.append(
                    {name: fact[name] for name in KEPT}
                    | {
                        "hour_of_day": hour,
                        "quantity": quantity,
                        "measured_value": fact[quantity],
                        "median_value": middle,
                        "median_deviation": spread,
                        "value_count": len(group),
                        "robust_z": score.quantize(Decimal("0.0001"), ROUND_HALF_UP),
                    }
                )
    return found
