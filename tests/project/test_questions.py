"""The standing questions of analyses/: each runs as its file says; some are answered in Python."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.project.desk import ROOT, Desk
from tests.project.nycflights13_oracle import weather

ANALYSES = sorted((ROOT / "analyses").glob("*.sql"))


def commands() -> Iterator[tuple[str, ...]]:
    """Yield each `dbt show` that an analysis says to run."""
    for file in ANALYSES:
        said = [line.split("dbt show ")[1] for line in file.read_text().splitlines()
                if line.startswith("--     dbt show ")]  # fmt: skip
        assert said, file
        yield from (tuple(shlex.split(command)) for command in said)


def test_a_dozen_questions_run_as_they_say(demo: Desk) -> None:
    assert len(ANALYSES) >= 12
    for command in commands():
        demo.dbt.invoke("show", *command)


def ask(desk: Desk, name: str) -> list[tuple[Any, ...]]:
    return desk.dbt.query((ROOT / "analyses" / f"{name}.sql").read_text())


def celsius(row: dict[str, str]) -> Decimal:
    return ((Decimal(row["temp"]) - 32) * 5 / 9).quantize(Decimal("0.0001"))


def test_hours_without_measurements_are_those_that_the_data_lack(demo: Desk) -> None:
    hours: dict[str, set[datetime]] = defaultdict(set)
    for row in weather():
        if not row["temp"] == row["humid"] == row["pressure"] == "NA":
            time = datetime.fromisoformat(row["time_hour"]).astimezone(UTC)
            hours[f"exp-{row['origin'].lower()}"].add(time)
    measured = Counter((exp, f"{t:%Y-%m}-01") for exp, times in hours.items() for t in times)
    found = ask(demo, "hours_without_measurements")
    assert {(exp, str(month)[:10]): int(n) for exp, month, _, n in found} == measured
    for experiment, times in hours.items():
        span = (max(times) - min(times)).total_seconds() // 3600 + 1
        missing = sum(int(n) for exp, _, n, _ in found if exp == experiment)
        assert missing == span - len(times) > 20


def test_extremes_are_those_of_the_data(demo: Desk) -> None:
    of: dict[str, list[Decimal]] = defaultdict(list)
    for row in weather():
        if row["temp"] != "NA":
            of[row["origin"]].append(celsius(row))
    found = ask(demo, "extremes_by_location")
    assert [(place, low, high, n) for place, _, low, high, n in found] == [
        (place, min(values), max(values), len(values)) for place, values in sorted(of.items())
    ]


def test_warmest_days_are_in_order(demo: Desk) -> None:
    of: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for row in weather():
        if row["temp"] != "NA":
            day = datetime.fromisoformat(row["time_hour"]).astimezone(UTC)
            of[f"exp-{row['origin'].lower()}", f"{day:%Y-%m-%d}"].append(celsius(row))
    means = {key: float(sum(values)) / len(values) for key, values in of.items()}
    best = sorted(means, key=lambda key: (-round(means[key], 6), key))[:10]
    found = ask(demo, "warmest_days")
    assert [(exp, str(day)[:10]) for exp, day, *_ in found] == best
    assert [float(mean) for _, _, mean, *_ in found] == pytest.approx([means[k] for k in best])
