"""The seed of units, by which SQL converts, against the unit library of the field."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pint
import pytest

SEED = Path(__file__).parents[2] / "seeds/units.csv"
# The seed has the spellings of sources; these mean something else to pint, or nothing.
SPELLINGS = {
    ("temperature", "C"): "degC",
    ("temperature", "F"): "degF",
    ("temperature", "°C"): "degC",
    ("temperature", "degK"): "kelvin",
    ("pressure", "mB"): "mbar",
    ("humidity", "%"): "percent",
    ("humidity", "1"): "dimensionless",
}
REGISTRY = pint.UnitRegistry(non_int_type=Decimal)


def rows() -> list[dict[str, str]]:
    with SEED.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def meant(quantity: str, unit: str) -> str:
    return SPELLINGS.get((quantity, unit), unit)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row['quantity']}-{row['unit']}")
@pytest.mark.parametrize("value", [Decimal(-40), Decimal(0), Decimal("21.7"), Decimal(1013)])
def test_the_seed_converts_as_pint_does(row: dict[str, str], value: Decimal) -> None:
    offset, numerator, denominator = (
        Decimal(row[name]) for name in ("offset_before", "numerator", "denominator")
    )
    ours = (value + offset) * numerator / denominator
    quantity = REGISTRY.Quantity(value, meant(row["quantity"], row["unit"]))
    theirs = quantity.to(meant(row["quantity"], row["canonical_unit"])).magnitude
    # The seed has the conventional mercury columns to six digits and more.
    assert abs(ours - theirs) <= Decimal("0.000001") * max(1, abs(theirs))


def test_every_quantity_has_its_canonical_unit_in_the_seed() -> None:
    known = {(row["quantity"], row["unit"]) for row in rows()}
    assert {(row["quantity"], row["canonical_unit"]) for row in rows()} <= known
