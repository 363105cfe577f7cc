"""`--log-format json`: a line per batch, that agrees with the ledger."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from loading import HEADER, MEASUREMENTS, Lab, contract_of, rows
from redshift_connector import error as driver

from loaders.cli import main
from loaders.errors import WarehouseError
from loaders.settings import STAGING_VARIABLE
from loaders.staging.batches import BatchLimits
from loaders.warehouse.postgres import PostgresWarehouse
from loaders.warehouse.redshift_errors import translated

Warehouse = Callable[..., tuple[int, str, list[dict[str, Any]]]]


@pytest.fixture
def warehouse(
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Warehouse:
    """Give the command: it returns its exit code, its output, and the lines of its log."""
    target = lab.connection | {"type": "postgres", "schema": "research_warehouse", "threads": 1}
    outputs = {"test": target, "wrong": target | {"password": "canary-wrong"}}
    profile = {"lab": {"target": "test", "outputs": outputs}}
    (tmp_path / "dbt_project.yml").write_text("name: lab\nprofile: lab\n")
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profile))
    for name, value in {
        "DBT_PROJECT_DIR": str(tmp_path),
        "DBT_PROFILES_DIR": str(tmp_path),
        STAGING_VARIABLE: f"s3://{lab.bucket}",
        "AWS_ENDPOINT_URL_S3": lab.client.meta.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    lab.setup(contract_of(tmp_path, MEASUREMENTS, max_rejects=2))

    def run(*arguments: str) -> tuple[int, str, list[dict[str, Any]]]:
        monkeypatch.setattr(sys, "argv", ["warehouse", *arguments])
        code: int | str | None = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        out, error = capsys.readouterr()
        return int(code or 0), out, [json.loads(line) for line in error.splitlines()]

    return run


def test_each_batch_is_a_line(
    lab: Lab, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PostgresWarehouse, "limits", BatchLimits(files=1, bytes=10**9))
    lab.put("lab/measurements/1.csv", rows("a", "b"))
    lab.put("lab/measurements/2.csv", f"{rows('c')}canary-value,1\n")
    lab.put("lab/measurements/3.csv", "canary-header\n")
    before = datetime.now(UTC)
    code, out, lines = warehouse("load", "--log-format", "json")
    assert (code, out) == (1, "")
    assert all(before <= datetime.fromisoformat(line.pop("time")) for line in lines)
    assert all(0 <= line.pop("seconds") < 60 for line in lines)
    ((run_id,),) = lab.fetch("select run_id from ledger.runs")
    assert {line.pop("run_id") for line in lines} == {run_id}
    assert lines.pop() == {
        "event": "load", "batches": 3, "files": 2, "files_refused": 1, "rows": 3,
        "bytes": len(rows("a", "b")) + len(f"{rows('c')}canary-value,1\n"), "exit_code": 1,
    }  # fmt: skip
    ledger = lab.fetch("select batch_id, files, rows_loaded from ledger.batches order by 1")
    loaded = [line for line in lines if line["batch_id"]]
    assert sorted((line["batch_id"], line["files"], line["rows"]) for line in loaded) == ledger
    counts = ("files", "files_refused", "rows", "rows_rejected")
    assert sorted(tuple(line[name] for name in counts) for line in lines) == [
        (0, 1, 0, 0), (1, 0, 1, 1), (1, 0, 2, 0),
    ]  # fmt: skip
    assert {line["event"] for line in lines} == {"batch"}
    assert {line["source_table"] for line in lines} == {"lab.measurements"}
    assert "canary" not in json.dumps(lines)


def test_the_end_of_a_failure_is_a_line(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_LOG_FORMAT", "json")
    code, out, (line,) = warehouse("load", "--target", "wrong")
    assert (code, out) == (2, "")
    assert (line["event"], line["kind"], line["exit_code"]) == ("failed", "UsageError", 2)
    assert "password authentication failed" in line["message"]
    assert "canary" not in json.dumps(line)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (
            "bytes < 1",
            'new row for relation "files" violates check constraint "odd" (SQLSTATE 23514)',
        ),
        ("(object_key || 'x')::float > 0", "a value is refused (SQLSTATE 22P02)"),
    ],
)
def test_what_a_server_quotes_is_not_in_the_line(
    lab: Lab, warehouse: Warehouse, check: str, message: str
) -> None:
    with closing(lab.connect()) as warehouse_itself:
        warehouse_itself.execute(f"alter table ledger.files add constraint odd check ({check})")
    lab.put("lab/measurements/canary.csv", rows("a"))
    code, _, lines = warehouse("load", "--log-format", "json")
    assert (code, lines[-1]["event"], lines[-1]["kind"]) == (3, "failed", "WarehouseError")
    assert lines[-1]["message"] == f"PostgreSQL: {message}"
    assert "canary" not in json.dumps(lines)


@pytest.mark.parametrize("code", ["22P02", "53200", "42703"])
def test_nor_what_redshift_quotes(code: str) -> None:
    said = {"C": code, "M": "Invalid digit, Value 'canary', Pos 0", "D": "context: canary"}
    with pytest.raises(WarehouseError, match="canary") as raised, translated():
        raise driver.ProgrammingError(said)
    assert raised.value.logged.startswith(
        f"Redshift: Invalid digit, Value …, Pos 0 (SQLSTATE {code})"
    )
    assert "canary" not in raised.value.logged


def test_an_interrupt_is_a_line(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("loaders.load_run.make_plan", interrupted)
    code, _, (line,) = warehouse("load", "--log-format", "json")
    assert (code, line["event"], line["exit_code"]) == (130, "interrupted", 130)


def test_without_asking_there_is_none(lab: Lab, warehouse: Warehouse) -> None:
    lab.put("lab/measurements/1.csv", f"{HEADER}\na,1,t\n")
    code, out, lines = warehouse("load")
    assert (code, lines) == (0, [])
    assert "loaded 1 files" in out
