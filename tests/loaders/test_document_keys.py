"""An export of JSON documents is checked for its key before it counts, on both targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from either import TARGETS, AnyLab, lab_of, ledger, put
from loading import EXPERIMENTS, contract_of

from loaders.contracts import Contract

EXPORT = "lab/experiments/exported_at=20200101T000000Z/"
OID = {"key": ["_id.$oid"]}
TWO = {"key": ["Item.Id.S", "Item.part.N"]}


@pytest.fixture(params=TARGETS)
def lab(request: pytest.FixtureRequest) -> AnyLab:
    """Give a fresh lab on one target."""
    return lab_of(request)


def contract(project: Path, key: dict[str, Any]) -> Contract:
    section = {**EXPERIMENTS, "format": "json", "files": "*.json", **key}
    return contract_of(project, section, {"document": "super"})


def papers(*ids: Any) -> list[dict[str, Any]]:
    return [{"_id": {"$oid": value}, "oid": "same"} for value in ids]


def items(*keys: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"Item": {"Id": {"S": a}, "id": {"S": "x"}, "part": {"N": b}}} for a, b in keys]


@pytest.mark.parametrize(
    ("key", "documents", "found"),
    [
        (OID, papers("a", "B", "b"), None),
        (OID, papers("a", "b", "a", "b", "c"), "duplicate_key: 2 values of _id.$oid stand in more"),
        (OID, [*papers("a"), {"_id": "a"}, {}], "missing_key: 2 rows of the export have no _id.$o"),
        (OID, papers("a", None, ""), "missing_key: 2 rows"),
        (OID, papers("a", ["b"], {"c": 1}), "missing_key: 2 rows"),
        (OID, papers("a", 1, True, "á", "a "), None),
        (TWO, items(("a", "1"), ("a", "2"), ("A", "1")), None),
        (TWO, items(("a", "1"), ("a", "1")), "duplicate_key: 1 values of Item.Id.S, Item.part.N"),
        (TWO, [*items(("a", "1")), {"Item": {"Id": {"S": "a"}}}], "missing_key: 1 rows"),
        (TWO, [*items(("a", "1")), {"item": {"id": {"s": "b"}}}], "missing_key: 1 rows"),
    ],
)
def test_an_export_is_loaded_if_its_key_is_one(
    tmp_path: Path, lab: AnyLab, key: dict[str, Any], documents: list[Any], found: str | None
) -> None:
    made = contract(tmp_path, key)
    lab.setup(made)
    put(lab, EXPORT + "part-0.json", "\n".join(map(json.dumps, documents)))
    put(lab, EXPORT + "_SUCCESS", "")
    result = lab.load(made)
    if found is None:
        assert (result.rows, result.refused) == (len(documents), ())
        return
    assert [f"{file.reason}: {file.detail}".startswith(found) for file in result.refused] == [True]
    assert result.rows == 0
    assert ledger(lab, "batch_id", "batches") == []


@pytest.mark.parametrize("lab", ["postgres"], indirect=True)
def test_a_name_that_is_null_in_sql_is_a_name(lab: AnyLab) -> None:
    warehouse = lab.connect()
    try:
        text = warehouse.document_text("document", "Item.NULL")
        found = warehouse.fetch(
            f"select {text} from (select cast(%s as jsonb) as document) as one",
            ('{"Item": {"NULL": true}}',),
        )
    finally:
        warehouse.close()
    assert found == [("true",)]
