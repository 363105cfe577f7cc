"""The same staged objects give the same marts in both warehouses, byte for byte."""

from __future__ import annotations

import pytest

from tests.project.both import Both

STEPS = ("the first objects", "corrections and late exports")


@pytest.mark.parametrize("step", range(len(STEPS)), ids=STEPS)
def test_marts_are_the_same_row_for_row(both: Both, step: int) -> None:
    postgres, redshift = both.postgres[step], both.redshift[step]
    assert set(postgres) >= {"fact_measurements", "quarantined_measurements", "dim_experiments"}
    for mart, rows in postgres.items():
        assert rows, mart
        assert (mart, rows - redshift[mart], redshift[mart] - rows) == (mart, {}, {})


def test_the_objects_hold_what_engines_read_differently(both: Both) -> None:
    """Without quarantined values, corrections and versions the comparison would say little."""
    first, later = both.postgres
    assert len(first["quarantined_measurements"]) > 60
    assert first["fact_measurements"] - later["fact_measurements"]
    assert later["dim_experiments"].total() > first["dim_experiments"].total() + 2
    rows = [*later["quarantined_measurements"], *later["fact_measurements"]]
    text = " ".join(value for row in rows for value in row)
    parts = ("測定", 'say "hi"', "line\\nbreak", "back\\\\slash", "Decimal('-0.0001')")
    assert [part for part in parts if part not in text] == []
