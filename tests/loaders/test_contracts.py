"""A wrong contract names file, table, field and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from loading import COLUMNS, EXPERIMENTS, MEASUREMENTS, contract_of, write_sources

from loaders.contracts import load_contracts
from loaders.errors import UsageError
from loaders.warehouse.types import parse_type


def refusal(project: Path, section: dict[str, Any], columns: dict[str, str] | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        contract_of(project, section, columns)
    return str(caught.value)


def test_a_contract_reads_as_it_is_written(tmp_path: Path) -> None:
    contract = contract_of(
        tmp_path, MEASUREMENTS, on_changed_file="replace", csv={"delimiter": ";"}, null_text="NA"
    )
    assert contract.name == "lab.measurements"
    assert [(c.name, str(c.type)) for c in contract.columns] == list(COLUMNS.items())
    assert contract.load.key == ("id",)
    assert (contract.load.on_changed_file, contract.load.null_text) == ("replace", "NA")
    assert contract.form.delimiter == ";"
    assert contract.form.columns == {"id": 16, "value": 32, "updated_at": 40}


def test_tables_without_a_load_section_are_dbt_s_own_business(tmp_path: Path) -> None:
    file = write_sources(tmp_path, {"measurements": MEASUREMENTS})
    document = yaml.safe_load(file.read_text())
    document["sources"][0]["tables"].append({"name": "made by hand"})
    file.write_text(yaml.safe_dump(document))
    assert [contract.table for contract in load_contracts(tmp_path)] == ["measurements"]


def test_a_schema_that_the_loader_does_not_write_to_is_refused(tmp_path: Path) -> None:
    file = write_sources(tmp_path, {"measurements": MEASUREMENTS})
    document = yaml.safe_load(file.read_text())
    for schema in ("raw_lab", "{{ target.schema }}_raw_lab"):
        document["sources"][0]["schema"] = schema
        file.write_text(yaml.safe_dump(document))
        assert load_contracts(tmp_path)
    document["sources"][0]["schema"] = "raw_other"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(UsageError, match="schema: the loader writes to raw_lab, and dbt would"):
        load_contracts(tmp_path)


@pytest.mark.parametrize(
    ("base", "change", "expected"),
    [
        (MEASUREMENTS, {"mode": "upsert"}, ".mode: Input should be 'append', 'snapshot' or"),
        (MEASUREMENTS, {"colour": 1}, ".colour: unknown field; use one of: path, files, format"),
        (MEASUREMENTS, {"path": "/lab/m"}, ".path: '/lab/m' must be a prefix such as"),
        (MEASUREMENTS, {"path": "lab/../m/"}, ".path: 'lab/../m/' must be a prefix such as"),
        (
            EXPERIMENTS,
            {"complete_when": "_SUCCESS"},
            "a mapping, such as {marker: _SUCCESS}, not",
        ),
        (MEASUREMENTS, {"key": []}, ".key: Tuple should have at least 1 item"),
        (MEASUREMENTS, {"key": ["nr"]}, ".key: 'nr' is not a column of the table; its columns"),
        (MEASUREMENTS, {"sequence_by": ["at"]}, ".sequence_by: 'at' is not a column"),
        (MEASUREMENTS, {"format": "json", "key": ["Item.S", "a b"]}, ".key: 'a b' is not a place"),
        (MEASUREMENTS, {"format": "json", "key": ["Item..S"]}, "such as 'Item.sensor_id.S'"),
        (MEASUREMENTS, {"format": "json", "key": ["0"]}, ".key: '0' is not a place in the docum"),
        (MEASUREMENTS, {"format": "json", "sequence_by": ["a'b"]}, '.sequence_by: "a\'b" is not'),
        (MEASUREMENTS, {"format": "xlsx"}, ".format: 'xlsx' is unknown; use one of: csv"),
        (MEASUREMENTS, {"max_shrink": 0.1}, "max_shrink: only with mode: snapshot"),
        (MEASUREMENTS, {"mode": "changes", "sequence_by": []}, "sequence_by: mode changes needs"),
        (MEASUREMENTS, {"null_text": 0}, ".null_text: Input should be a valid string, not 0"),
        (MEASUREMENTS, {"csv": {"quote": "'"}}, ".csv.quote: unknown field; use one of: delimiter"),
        (MEASUREMENTS, {"csv": {"delimiter": ";;"}}, "csv: delimiter ';;' must be one ASCII"),
        (MEASUREMENTS, {"csv": {"header": "yes"}}, ".csv.header: Input should be a valid boolean"),
        (EXPERIMENTS, {"version_from": None}, "version_from: mode snapshot needs a text"),
        (EXPERIMENTS, {"version_from": "day=x"}, "version_from: must hold {version_at} once"),
        (EXPERIMENTS, {"complete_when": None}, "complete_when: mode snapshot needs {marker"),
        (EXPERIMENTS, {"complete_when": {"files": 1, "marker": "x"}}, "exactly one of: marker"),
        (EXPERIMENTS, {"complete_when": {"files": 0}}, ".complete_when.files: Input should be g"),
        (EXPERIMENTS, {"version_from": "last_modified"}, "goes with {files: 1} only"),
        (EXPERIMENTS, {"max_shrink": 2}, ".max_shrink: Input should be less than or equal to 1"),
        (EXPERIMENTS, {"on_changed_file": "fail"}, "on_changed_file: not with mode: snapshot"),
    ],
)
def test_a_wrong_load_section_is_refused(
    tmp_path: Path, base: dict[str, Any], change: dict[str, Any], expected: str
) -> None:
    message = refusal(tmp_path, {**base, **change})
    table = "lab.measurements" if base is MEASUREMENTS else "lab.experiments"
    if "path" in change:
        table = "lab."
    assert f"models/staging/lab/_lab__sources.yml: {table}" in message
    assert expected in message


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("x", "text", "columns.x.data_type: 'text' is not a type; use one of: varchar(n)"),
        ("x", "varchar(70000)", "columns.x.data_type: 'varchar(70000)': 70000 is outside 1-65535"),
        ("x", "bigint", "csv values arrive as text, so a csv table's columns are varchar(n)"),
        ("_batch_id", "varchar(9)", "columns._batch_id: the name is reserved for the loader"),
        ("x" * 64, "varchar(9)", "must have 1 to 63 bytes"),
        ("Value", "varchar(9)", "'Value' must be in lower case"),
    ],
)
def test_a_wrong_column_is_refused(tmp_path: Path, name: str, kind: str, expected: str) -> None:
    assert expected in refusal(tmp_path, MEASUREMENTS, {**COLUMNS, name: kind})


def test_a_column_may_be_there_once(tmp_path: Path) -> None:
    file = write_sources(tmp_path, {"measurements": MEASUREMENTS})
    document = yaml.safe_load(file.read_text())
    document["sources"][0]["tables"][0]["columns"].append({"name": "id", "data_type": "varchar(1)"})
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(UsageError, match=r"columns\.id: the column is there twice"):
        load_contracts(tmp_path)


def test_all_problems_of_all_files_are_reported_at_once(tmp_path: Path) -> None:
    write_sources(tmp_path, {"a": {**MEASUREMENTS, "mode": "x", "path": "y"}})
    write_sources(tmp_path, {"b": {**MEASUREMENTS, "key": ["z"]}}, source="other")
    (tmp_path / "models/broken_sources.yml").write_text("sources: {a: [")
    with pytest.raises(UsageError) as caught:
        load_contracts(tmp_path)
    message = str(caught.value)
    assert all(text in message for text in (".mode", ".path", "other.b", "not a dbt sources file"))


@pytest.mark.parametrize(
    ("path", "files", "refused"),
    [
        ("lab/measurements/", "*.csv*", True),
        ("lab/measurements/2013/", "*.csv*", True),
        ("lab/", "*", True),
        ("lab/measurements/", "b*.csv", False),
        ("lab/measurements_b/", "*.csv*", False),
    ],
)
def test_two_tables_may_not_load_the_same_objects(
    tmp_path: Path, path: str, files: str, refused: bool
) -> None:
    tables = {"a": MEASUREMENTS, "b": {**MEASUREMENTS, "path": path, "files": files}}
    write_sources(tmp_path, tables)
    if refused:
        with pytest.raises(UsageError, match=r"lab\.a and lab\.b: their paths .* overlap"):
            load_contracts(tmp_path)
    else:
        assert len(load_contracts(tmp_path)) == 2


@pytest.mark.parametrize(
    ("text", "postgres", "redshift"),
    [
        ("varchar(64)", "text", "varchar(64)"),
        ("VARBYTE( 9 )", "bytea", "varbyte(9)"),
        ("decimal(10, 4)", "numeric(10,4)", "decimal(10,4)"),
        ("double precision", "double precision", "double precision"),
        ("super", "jsonb", "super"),
        ("timestamptz", "timestamptz", "timestamptz"),
    ],
)
def test_types_are_named_per_warehouse(text: str, postgres: str, redshift: str) -> None:
    kind = parse_type(text)
    assert (kind.postgres, kind.redshift) == (postgres, redshift)


@pytest.mark.parametrize(
    "text", ["varchar", "decimal(4,5)", "decimal(39,0)", "integer(4)", "", "x"]
)
def test_other_types_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"use one of|outside|exceeds"):
        parse_type(text)
