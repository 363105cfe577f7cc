"""`warehouse plan`, `rejects` and `requeue --rows`, as they are typed and as they answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from loading import HEADER, MEASUREMENTS, Lab, contract_of, rows
from test_rejects import mark

from loaders.cli import main
from loaders.display import printable
from loaders.settings import STAGING_VARIABLE

ONE = "lab/measurements/1.csv"
NASTY = b"\x1b]0;owned\x07,\xff\xe2\x80\xae"  # sets a terminal's title, turns its direction
CONTENT = f"{HEADER}\na,1,t\nb,1\n".encode() + NASTY + b"\n"
FIXED = f"lab/measurements/1.rows-{mark(CONTENT)}.csv"
Warehouse = Callable[..., tuple[int, str, str]]


@pytest.fixture
def warehouse(
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Warehouse:
    """Give the command in a project with two wrong records and one refused file."""
    target = lab.connection | {"type": "postgres", "schema": "research_warehouse", "threads": 1}
    profile = {"lab": {"target": "test", "outputs": {"test": target}}}
    (tmp_path / "dbt_project.yml").write_text("name: lab\nprofile: lab\n")
    (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profile))
    monkeypatch.setenv("DBT_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path))
    monkeypatch.setenv(STAGING_VARIABLE, f"s3://{lab.bucket}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", lab.client.meta.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    lab.setup(contract_of(tmp_path, MEASUREMENTS, max_rejects=2))
    lab.put(ONE, CONTENT)
    lab.put("lab/measurements/2\x1b[2J.csv", "wrong\n")

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["warehouse", *arguments])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


def test_what_was_refused_is_corrected_and_shown_so(
    warehouse: Warehouse, lab: Lab, tmp_path: Path
) -> None:
    code, out, err = warehouse("load")
    assert code == 1
    assert "2 rows were rejected: see `warehouse rejects`" in err
    assert "2\\x1b[2J.csv: header_differs" in err
    assert "\x1b" not in out + err

    code, out, _ = warehouse("rejects")
    assert code == 0
    assert all(text in out for text in ("Refused files", "2\\x1b[2J.csv", "Files loaded", ONE))
    code, out, _ = warehouse("rejects", "--rows", "--key", ONE)
    assert r"\x1b]0;owned\x07,\xff\xe2\x80\xae" in out
    assert printable(out.replace("\n", "")) == out.replace("\n", "")
    _, out, _ = warehouse("rejects", "--rows", "--key", ONE, "--json")
    found = json.loads(out)
    assert {bytes.fromhex(row["raw"]) for row in found} == {b"b,1", NASTY}
    assert {row["corrected_by"] for row in found} == {None}
    _, out, _ = warehouse("rejects", "--rows", "--limit", "1", "--json")
    assert len(json.loads(out)) == 1

    fixed = tmp_path / "fixed.csv"
    fixed.write_text(f"{HEADER}\nb,1\n")
    code, _, err = warehouse("requeue", ONE, "--table", "lab.measurements", "--rows", str(fixed))
    assert code == 1
    assert f"{fixed}: line 2 (record 1, byte 20): field_count" in err
    fixed.write_text(rows("b", "c"))
    code, out, _ = warehouse("requeue", ONE, "--table", "lab.measurements", "--rows", str(fixed))
    assert code == 0
    assert f"staged 2 rows for the 2 rejected ones of {ONE}; the next load takes {FIXED}" in out
    warehouse("load")
    assert lab.live_ids() == ["a", "b", "c"]
    _, out, _ = warehouse("rejects", "--json", "--key", ONE)
    (partly,) = json.loads(out)["partly_loaded"]
    assert (partly["key"], partly["rows_rejected"], partly["corrected_by"]) == (ONE, 2, FIXED)


def test_a_wrong_table_or_key_is_wrong_use(warehouse: Warehouse, tmp_path: Path) -> None:
    fixed = tmp_path / "fixed.csv"
    fixed.write_text(rows("b"))
    code, _, err = warehouse("requeue", ONE, "--table", "lab.nothing", "--rows", str(fixed))
    assert (code, "no source table 'lab.nothing'; there are: lab.measurements" in err) == (2, True)
    code, _, err = warehouse("requeue", ONE, "--table", "lab.measurements", "--rows", str(fixed))
    assert (code, f"{ONE} is not in the ledger" in err) == (2, True)
    code, _, err = warehouse("requeue", ONE, "--table", "lab.measurements", "--rows", "nothing")
    assert (code, "does not exist" in err) == (2, True)
    code, out, _ = warehouse("rejects")
    assert (code, out) == (0, "nothing is refused\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("é ü\N{NO-BREAK SPACE}x\N{IDEOGRAPHIC SPACE}日", None),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31m\x07\x9b", "\\x1b[31m\\x07\\x9b"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}\N{LINE SEPARATOR}", "\\u202e\\u2028"),
    ],
)
def test_nothing_that_a_terminal_would_obey_is_printed(text: str, shown: str | None) -> None:
    assert printable(text) == (shown or text)


def test_a_plan_names_what_nothing_will_load(warehouse: Warehouse, lab: Lab) -> None:
    assert "will not be loaded" not in warehouse("plan")[1]
    lab.put("lab/measurements/3.xlsx", "not ours")
    lab.put("lab/measurements/_SUCCESS", "")
    code, out, _ = warehouse("plan")
    assert code == 0
    assert "1 objects will not be loaded" in out
    assert out.endswith("such as: lab/measurements/3.xlsx\n")
    assert json.loads(warehouse("plan", "--json")[1])["plan"]["unclaimed"] == [
        "lab/measurements/3.xlsx"
    ]


def test_status_counts_what_is_refused_and_still_there(warehouse: Warehouse, lab: Lab) -> None:
    def refused() -> str:
        lines = warehouse("status")[1].splitlines()
        (line,) = (line for line in lines if line.strip().startswith("lab.measurements"))
        return line.split()[-1]

    warehouse("load")
    assert refused() == "1"
    lab.client.delete_object(Bucket=lab.bucket, Key="lab/measurements/2\x1b[2J.csv")
    assert refused() == "0"
    assert "2\\x1b[2J.csv" in warehouse("rejects")[1]
