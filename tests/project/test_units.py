"""The seed of units, by which SQL converts, against the unit library of the field."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from pathlib import Path

import pint
import pytest

from loaders.exporters.layout import METRES

SEED = Path(__file__).parents[2] / "seeds/units.csv"
# The seed has the spellings of sources; these mean something else to pint, or nothing.
SPELLINGS = {
    "C": "degC",
    "F": "degF",
    "Celsius": "degC",
    "celsius": "degC",
    "degree_C": "degC",
    "degrees_C": "degC",
    "degrees_Celsius": "degC",
    "degree_F": "degF",
    "degrees_F": "degF",
    "Kelvin": "kelvin",
    "degree_K": "kelvin",
    "degrees_K": "kelvin",
    "mb": "mbar",
    "mB": "mbar",
    "%": "percent",
    "1": "dimensionless",
    "1e-6": "ppm",
    "fraction": "dimensionless",
    "ppmv": "ppm",
    "ppb": "nmol/mol",
    "ppbv": "nmol/mol",
    "° (gr)": "degree",
    "degree_true": "degree",
    "degrees_true": "degree",
    "Kj/m²": "kJ/m**2",
    "W/m²": "W/m**2",
    "kJ/m²": "kJ/m**2",
}
CF_EXPONENT = re.compile(r"(?<=[a-z])(-?[0-9])")  # `m s-1` is m * s**-1
REGISTRY = pint.UnitRegistry(non_int_type=Decimal)


def rows() -> list[dict[str, str]]:
    with SEED.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def meant(quantity: str, unit: str) -> str:
    if quantity == "temperature_difference":
        return {"K": "kelvin"}.get(unit, f"delta_{unit}")
    spelled = SPELLINGS.get(unit, unit)
    return spelled if "^" in spelled or "**" in spelled else CF_EXPONENT.sub(r"**\1", spelled)


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


@pytest.mark.parametrize("unit", METRES)
def test_heights_are_staged_by_the_same_factors(unit: str) -> None:
    """`stage hpc` brings the heights of values to metres itself."""
    row = next((r for r in rows() if (r["quantity"], r["unit"]) == ("length", unit)), None)
    assert row is not None
    assert Decimal(str(METRES[unit])) == Decimal(row["numerator"]) / Decimal(row["denominator"])


def test_rules_of_variables_are_of_quantities_that_have_units() -> None:
    with SEED.with_name("variable_rules.csv").open(encoding="utf-8", newline="") as stream:
        rules = list(csv.DictReader(stream))
    assert {rule["quantity"] for rule in rules} <= {row["quantity"] for row in rows()}
    assert [rule for rule in rules if float(rule["minimum"]) >= float(rule["maximum"])] == []
