"""Names and keys that are no one's idea of a name, on the whole way through both targets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from either import TARGETS, AnyLab, lab_of, put
from loading import EXPERIMENTS, MEASUREMENTS, export, rows, write_sources

from loaders.contracts import Contract, load_contracts
from loaders.errors import UsageError
from loaders.formats.csv_form import CsvForm
from loaders.formats.json_form import JsonForm
from loaders.formats.parquet_form import ParquetForm
from loaders.formats.scanners import Form
from loaders.history import recent_runs, table_status, trace_batch
from loaders.load_run import make_plan
from loaders.rejects import refused_files, rejected_rows, requeue
from loaders.warehouse.copy_statement import Source, as_rewritten, as_staged, copy_statement
from loaders.warehouse.types import parse_type

SOURCE = 'o\'x"; drop schema "ledger" cascade; --\\'
TABLE = "{{ t }} $1 :x ?\\'; select 1/0 /*"
KEY = 'i"d'
COLUMNS = {KEY: "varchar(16)", "v'\\;--{x}": "varchar(32)", "$1 :a /*": "varchar(40)"}
HEADER = ",".join('"' + name.replace('"', '""') + '"' for name in COLUMNS)
OBJECTS = (
    "plain.csv",
    'it\'s "quoted"; drop table x;--.csv',
    "back\\slash {brace} {{ jinja }} $1 :x ?.csv",
    "100%s %(x)s %d +&=@,!~*#.csv",
    "測定 Ünï 🌡 \u00a0.csv",
    "../../outside.csv",
    "./a//b.csv",
    "-rf *.csv",
)


@pytest.fixture(params=TARGETS)
def lab(request: pytest.FixtureRequest) -> AnyLab:
    return lab_of(request)


@pytest.fixture
def contract(tmp_path: Path, lab: AnyLab) -> Contract:
    section = MEASUREMENTS | {"key": [KEY], "sequence_by": ["$1 :a /*"]}
    write_sources(tmp_path, {TABLE: section}, COLUMNS)
    file = next(tmp_path.glob("models/**/*.yml"))
    file.write_text(file.read_text().replace("name: lab", "name: " + json.dumps(SOURCE)))
    (made,) = load_contracts(tmp_path)
    assert (made.source, made.table) == (SOURCE, TABLE)
    return made


def test_every_command_takes_them(lab: AnyLab, contract: Contract) -> None:
    assert lab.setup(contract)
    assert lab.setup(contract) == []
    for number, name in enumerate(OBJECTS):
        put(lab, f"lab/measurements/{name}", f"{HEADER}\n{number},a'\\;{{}}%s,t\n")
    bad = "lab/measurements/b'a\"d; %s {}.csv"
    put(lab, bad, f"{HEADER}\n1,2\n")
    warehouse = lab.connect()
    try:
        plan = make_plan([contract], warehouse, lab.staging)
        assert plan.files == len(OBJECTS) + 1
        for batch in plan.batches:
            assert warehouse.copy_sql(batch).startswith("copy ")
        result = lab.load(contract)
        assert [file.key for file in result.refused] == [bad]
        raw = warehouse.schemas.raw(SOURCE, TABLE).sql
        loaded = warehouse.fetch(f'select "i""d", "v\'\\;--{{x}}" from {raw}')
        assert sorted(map(tuple, loaded)) == [(str(n), "a'\\;{}%s") for n in range(len(OBJECTS))]

        assert [(status.source_table, status.rows) for status in table_status(warehouse)] == [
            (contract.name, len(OBJECTS))
        ]
        assert recent_runs(warehouse)
        assert [file.key for file in refused_files(warehouse, contract.name, bad)] == [bad]
        assert [row.key for row in rejected_rows(warehouse, contract.name, bad)] == [bad]
        batch_ids = [batch.batch_id for batch in result.batches if batch.batch_id]
        traced = [file.key for number in batch_ids for file in trace_batch(warehouse, number).files]
        assert sorted(traced) == sorted(f"lab/measurements/{name}" for name in OBJECTS)

        again = f"lab/measurements/{OBJECTS[1]}"
        for key in (bad, again):
            assert requeue(warehouse, contract.name, lab.staging.bucket, key) == 2
        put(lab, bad, f"{HEADER}\n99,2,t\n")
        assert lab.load(contract).refused == ()
        live = warehouse.fetch(
            f'select "i""d" from {raw} where _batch_id not in (select batch_id from '
            f"{warehouse.schemas.ledger('events').sql} where event = 'superseded')"
        )
        assert sorted(int(value) for (value,) in live) == [*range(len(OBJECTS)), 99]
    finally:
        warehouse.close()


@pytest.mark.parametrize(
    ("what", "name", "message"),
    [
        ("table", "a%s", "must not contain '%' or NUL"),
        ("table", "a\0b", "must not contain '%' or NUL"),
        ("table", "a" * 64, "must have 1 to 63 bytes"),
        ("table", "", "must have 1 to 63 bytes"),
        ("table", "Upper", "lower case"),
        ("column", "50%", "must not contain '%' or NUL"),
        ("column", "_batch_id", "reserved for the loader"),
    ],
)
def test_other_names_are_refused_with_file_and_field(
    tmp_path: Path, what: str, name: str, message: str
) -> None:
    columns = {"id": "varchar(16)", "value": "varchar(32)", "updated_at": "varchar(40)"}
    if what == "column":
        columns[name] = "varchar(1)"
    write_sources(tmp_path, {name if what == "table" else "t": MEASUREMENTS}, columns)
    with pytest.raises(UsageError) as caught:
        load_contracts(tmp_path)
    shown = str(caught.value)
    assert message in shown
    assert "models/staging/lab/_lab__sources.yml: lab." in shown
    assert ("columns." if what == "column" else "name: ") in shown


@pytest.mark.parametrize(
    "path", ["/", "../other/", "lab/../other/", "./lab/", "lab", "lab//x/", "", "s3://b/x"]
)
def test_a_path_outside_the_staging_root_is_refused(tmp_path: Path, path: str) -> None:
    write_sources(tmp_path, {"t": MEASUREMENTS | {"path": path}})
    with pytest.raises(UsageError, match=r"path: .* must be a prefix"):
        load_contracts(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "s3://another-bucket/lab/experiments/exported_at=20130101T000000Z/part-0.csv",
        "s3://{bucket}/secret/part-0.csv",
        "s3://{bucket}/lab/experiments/exported_at=20130101T000000Z/../../../secret/part-0.csv",
        "s3://{bucket}/lab/experiments/exported_at=20130201T000000Z/part-0.csv",
        "file:///etc/passwd",
        "https://{bucket}/lab/experiments/exported_at=20130101T000000Z/part-0.csv",
        "lab/experiments/exported_at=20130101T000000Z/part-0.csv",
    ],
)
def test_a_manifest_cannot_point_outside_its_export(lab: AnyLab, tmp_path: Path, url: str) -> None:
    section = EXPERIMENTS | {"complete_when": {"manifest": "manifest.json"}}
    write_sources(tmp_path, {"experiments": section})
    (contract,) = load_contracts(tmp_path)
    lab.setup(contract)
    put(lab, "secret/part-0.csv", rows("secret"))
    put(lab, export(1), rows("a"))
    put(lab, "lab/experiments/exported_at=20130201T000000Z/part-0.csv", rows("b"))
    entries = [{"url": url.replace("{bucket}", lab.staging.bucket)}]
    put(lab, export(1, "manifest.json"), json.dumps({"entries": entries}))
    result = lab.load(contract)
    assert (result.batches, result.refused) == ((), ())
    lacks = {waiting.export_key: waiting.missing for waiting in result.waiting}
    assert any("is not in s3://" in text or "is not there" in text for text in lacks.values())
    assert lab.live_ids("experiments") == []


ALLOWED = {
    "iam_role", "default", "manifest", "format", "as", "csv", "json", "parquet", "null",
    "maxerror", "ignoreheader", "gzip", "region", "0", "1",
}  # fmt: skip
FORMS: dict[str, Form] = {
    "csv": CsvForm(columns={"a": 1}),
    "json": JsonForm({"document": None}),
    "parquet": ParquetForm({"a": parse_type("bigint")}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("make", [as_staged, as_rewritten])
@pytest.mark.parametrize("key", ["x", "x.gz"])
def test_copy_has_only_options_that_change_nothing(
    form: str, make: Callable[..., Source], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None that drops or alters rows, none that carries a key, whatever the environment says."""
    monkeypatch.setenv("WAREHOUSE_COPY_ROLE", "arn:aws:iam::1:role/x' access_key_id 'y")
    monkeypatch.setenv("WAREHOUSE_COPY_REGION", "eu' maxerror 9 region 'x")
    source = make(FORMS[form], key, ("a", 'b" from stdin --'))
    sql = copy_statement(source, "s3://b/m'; drop table x; --")
    columns, _, options = sql.partition(" from 's3://b/m''; drop table x; --' ")
    assert columns in ('copy "staged_files"', 'copy "staged_files" ("a", "b"" from stdin --")')
    outside = re.sub("'(?:[^']|'')*'", "", options)
    assert set(outside.split()) <= ALLOWED
    assert "iam_role" in outside
