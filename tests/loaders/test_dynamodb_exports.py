"""DynamoDB's exports: loaded as their manifests describe them, or not at all."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from loading import Lab
from test_formats import AnyLab, Stage, lab, postgres_lab

from loaders.contracts import Contract, load_contracts
from loaders.demo.dynamodb import Change, full_export, incremental_export
from loaders.errors import UsageError

__all__ = ["lab", "postgres_lab"]  # fixtures

AT = datetime(2020, 5, 1, 12, 30)
LATER = datetime(2020, 5, 2, 12, 30)
FULL = {"path": "lab/readings/", "format": "json", "mode": "snapshot", "key": ["Item.id.S"]}
CHANGES = {**FULL, "mode": "changes", "sequence_by": ["Metadata.WriteTimestampMicros.N"]}


def contracts(project: Path) -> tuple[Contract, ...]:
    tables = {
        "readings": {**FULL, "complete_when": {"dynamodb_export": "full"}},
        "reading_changes": {**CHANGES, "complete_when": {"dynamodb_export": "incremental"}},
    }
    entries = [
        {
            "name": name,
            "config": {"meta": {"load": section}},
            "columns": [{"name": "record", "data_type": "super"}],
        }
        for name, section in tables.items()
    ]
    file = project / "models/staging/lab/_lab__sources.yml"
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump({"sources": [{"name": "lab", "tables": entries}]}))
    return load_contracts(project)


Table = tuple[AnyLab, Stage, tuple[Contract, ...]]


@pytest.fixture
def table(tmp_path: Path, lab: tuple[AnyLab, Stage]) -> Table:
    site, put = lab
    made = contracts(tmp_path)
    site.setup(*made)
    return site, put, made


@pytest.fixture
def postgres_table(
    database: dict[str, Any], staging_bucket: tuple[str, Any], tmp_path: Path
) -> tuple[Lab, tuple[Contract, ...]]:
    bucket, client = staging_bucket
    site, made = Lab(database, client, bucket), contracts(tmp_path)
    site.setup(*made)
    return site, made


def stage(put: Stage, objects: dict[str, bytes], but: str = "\0") -> None:
    for key, body in objects.items():
        if but not in key:
            put(key, body)


def records(site: AnyLab, name: str) -> list[Any]:
    found = site.fetch(f"select record from {site.schemas.raw('lab', name).sql}")
    return [json.loads(row[0]) if isinstance(row[0], str) else row[0] for row in found]


EVERY_TYPE: dict[str, Any] = {
    "id": "a",
    "n": Decimal("0.12345678901234567890123456789012345678"),
    "big": Decimal("1E+37"),
    "yes": True,
    "none": None,
    "list": [1, "x", {"deep": Decimal("1.5")}],
    "map": {"UPPER": "é", "lower": []},
    "ss": {"a"},
    "ns": {Decimal(3)},
    "bytes": b"\x00\xff",
    "bs": {b"\x01"},
}


def test_a_full_export_arrives_as_dynamodb_wrote_it(table: Table) -> None:
    site, put, made = table
    stage(put, full_export("lab/readings/", "01-a", [EVERY_TYPE, {"id": "b"}], AT, files=3))
    result = site.load(*made)
    assert (result.files, result.rows, result.exit_code, result.waiting) == (3, 2, 0, ())
    assert sorted(records(site, "readings"), key=lambda r: str(r["Item"]["id"]["S"])) == (
        [
            {
                "Item": {
                    "id": {"S": "a"},
                    "n": {"N": "0.12345678901234567890123456789012345678"},
                    "big": {"N": "1E+37"},
                    "yes": {"BOOL": True},
                    "none": {"NULL": True},
                    "list": {"L": [{"N": "1"}, {"S": "x"}, {"M": {"deep": {"N": "1.5"}}}]},
                    "map": {"M": {"UPPER": {"S": "é"}, "lower": {"L": []}}},
                    "ss": {"SS": ["a"]},
                    "ns": {"NS": ["3"]},
                    "bytes": {"B": "AP8="},
                    "bs": {"BS": ["AQ=="]},
                }
            },
            {"Item": {"id": {"S": "b"}}},
        ]
    )
    batches = site.schemas.ledger("batches").sql
    assert [tuple(row) for row in site.fetch(f"select version_at, files from {batches}")] == [
        (AT, 3)
    ]
    again = site.load(*made)
    assert (again.files, again.skipped) == (0, 3)


def test_full_and_incremental_exports_go_to_their_own_tables(table: Table) -> None:
    site, put, made = table
    stage(put, full_export("lab/readings/", "01-a", [{"id": "a"}], AT))
    changes = [
        Change({"id": "a"}, LATER, {"id": "a"}, {"id": "a", "n": 1}),
        Change({"id": "b"}, LATER, {"id": "b"}, None),
    ]
    stage(put, incremental_export("lab/readings/", "02-b", changes, AT, LATER, files=2))
    site.load(*made)
    assert records(site, "readings") == [{"Item": {"id": {"S": "a"}}}]
    found = records(site, "reading_changes")
    assert [sorted(change) for change in sorted(found, key=len)] == [
        ["Keys", "Metadata", "OldImage"],
        ["Keys", "Metadata", "NewImage", "OldImage"],
    ]
    micros = round((LATER - datetime(1970, 1, 1)).total_seconds() * 10**6)
    assert {c["Metadata"]["WriteTimestampMicros"]["N"] for c in found} == {str(micros)}


@pytest.mark.parametrize("missing", ["manifest-summary", "manifest-files", "0001.json.gz"])
def test_an_export_that_is_not_all_there_waits_and_says_for_what(
    table: Table, missing: str
) -> None:
    site, put, made = table
    objects = full_export("lab/readings/", "01-a", [{"id": "a"}, {"id": "b"}], AT, files=2)
    stage(put, objects, but=missing)
    result = site.load(*made)
    assert (result.files, result.exit_code) == (0, 0)
    waiting = [export for export in result.waiting if missing in export.missing]
    assert {export.export_key for export in waiting} == {"lab/readings/AWSDynamoDB/01-a/"}
    stage(put, objects)
    assert site.load(*made).rows == 2


def damaged(objects: dict[str, bytes], ending: str, change: Callable[[bytes], bytes]) -> None:
    (key,) = [key for key in objects if key.endswith(ending)]
    objects[key] = change(objects[key])


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b'{"Item":{"id":{"S":"a"}}}\n', mtime=1),  # other bytes, the same records
        gzip.compress(b'{"Item":{"id":{"S":"a"}}}\n' * 2, mtime=0),
    ],
    ids=["md5", "count"],
)
def test_a_file_that_is_not_the_manifests_refuses_the_export(table: Table, content: bytes) -> None:
    site, put, made = table
    objects = full_export("lab/readings/", "01-a", [{"id": "a"}, {"id": "b"}], AT, files=2)
    damaged(objects, "0000.json.gz", lambda _: content)
    stage(put, objects)
    result = site.load(*made)
    assert [(file.key.rpartition("-")[2], file.reason) for file in result.refused] == [
        ("0000.json.gz", "not_as_in_manifest")
    ]
    assert records(site, "readings") == []
    # Mended, it loads.
    stage(put, full_export("lab/readings/", "01-a", [{"id": "a"}, {"id": "b"}], AT, files=2))
    assert site.load(*made).rows == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace(b'"itemCount": 2', b'"itemCount": 3'), "counts 2 items"),
        (lambda text: text.replace(b"DYNAMODB_JSON", b"ION"), "ION cannot be loaded"),
        (lambda text: text[:-9], "is not JSON"),
        (lambda text: text.replace(b"exportTime", b"time"), "'exportTime'"),
    ],
    ids=["count", "ion", "cut", "no time"],
)
def test_a_manifest_that_cannot_be_right_is_said(
    postgres_table: tuple[Lab, tuple[Contract, ...]],
    change: Callable[[bytes], bytes],
    said: str,
) -> None:
    site, made = postgres_table
    objects = full_export("lab/readings/", "01-a", [{"id": "a"}, {"id": "b"}], AT)
    damaged(objects, "manifest-summary.json", change)
    stage(site.put, objects)
    result = site.load(*made)
    assert result.files == 0
    assert any(said in export.missing for export in result.waiting)


def test_an_export_without_old_images_is_not_loaded(
    postgres_table: tuple[Lab, tuple[Contract, ...]],
) -> None:
    site, made = postgres_table
    changes = [Change({"id": "a"}, AT, {"id": "a"}, None)]
    objects = incremental_export("lab/readings/", "02-b", changes, AT, LATER)
    damaged(
        objects, "manifest-summary.json", lambda t: t.replace(b"NEW_AND_OLD_IMAGES", b"NEW_IMAGE")
    )
    stage(site.put, objects)
    (waiting,) = site.load(*made).waiting
    assert "export with NEW_AND_OLD_IMAGES" in waiting.missing


def test_an_export_that_was_copied_elsewhere_is_found_there(
    postgres_table: tuple[Lab, tuple[Contract, ...]],
) -> None:
    site, made = postgres_table
    objects = full_export("somewhere/else/", "01-a", [{"id": "a"}], AT)
    stage(site.put, {k.replace("somewhere/else", "lab/readings"): v for k, v in objects.items()})
    assert site.load(*made).rows == 1


def test_a_contract_that_does_not_fit_the_export_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "models/staging/lab/_lab__sources.yml"
    file.parent.mkdir(parents=True)
    load = {**FULL, "mode": "append", "complete_when": {"dynamodb_export": "full"}}
    columns = [{"name": "record", "data_type": "super"}]
    table = {"name": "readings", "config": {"meta": {"load": load}}, "columns": columns}
    file.write_text(yaml.safe_dump({"sources": [{"name": "lab", "tables": [table]}]}))
    with pytest.raises(UsageError, match="a full DynamoDB export has mode: snapshot and format"):
        load_contracts(tmp_path)
