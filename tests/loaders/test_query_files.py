"""`warehouse query` as it is typed: files with their types, pages, limits, and Ctrl-C."""

from __future__ import annotations

import csv
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from loaders.cli import main

COMMAND = [sys.executable, "-m", "loaders.cli", "query"]
Ask = Callable[..., tuple[int, str, str]]
EVERY_TYPE = """
select
    true as yes,
    cast(1 as smallint) as small,
    2 as whole,
    cast(9007199254740993 as bigint) as large,
    cast(0.1 as double precision) as double,
    cast(1.50 as decimal(10, 4)) as measured,
    cast(date '2020-02-29' as date) as day,
    timestamp '0001-01-01 00:00:00.000001' as since,
    timestamptz '2020-01-01 01:00+01' as moment,
    cast('é, "x"' as varchar(9)) as text,
    cast('{"b": [1]}' as jsonb) as document,
    cast('ff00' as bytea) as bytes
"""


@pytest.fixture
def place(database: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty directory; commands are about a project whose marts have a table of numbers."""
    with psycopg.connect(**database, autocommit=True) as owner:
        owner.execute("create schema research_warehouse")
        owner.execute("create table research_warehouse.numbers as select generate_series(1, 9) n")
    project = tmp_path / "project"
    project.mkdir()
    target = database | {"type": "postgres", "schema": "research_warehouse", "threads": 1}
    profile = {"lab": {"target": "test", "outputs": {"test": target}}}
    (project / "dbt_project.yml").write_text("name: lab\nprofile: lab\n")
    (project / "profiles.yml").write_text(yaml.safe_dump(profile))
    monkeypatch.setenv("DBT_PROJECT_DIR", str(project))
    monkeypatch.setenv("DBT_PROFILES_DIR", str(project))
    files = tmp_path / "files"
    files.mkdir()
    return files


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Give the command: it returns its exit code, and what it printed to stdout and stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["warehouse", "query", *map(str, arguments)])
        code: int | str | None = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        return int(code or 0), *capsys.readouterr()

    return run


def names(directory: Path) -> list[str]:
    return sorted(item.name for item in directory.iterdir())


def test_parquet_keeps_the_types(place: Path, ask: Ask) -> None:
    code, out, error = ask(EVERY_TYPE, "--out", place / "x.parquet")
    assert (code, error) == (0, "")
    assert out.startswith(f"1 rows in {place / 'x.parquet'} (")
    table = pq.read_table(place / "x.parquet")
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        "yes": pa.bool_(), "small": pa.int16(), "whole": pa.int32(), "large": pa.int64(),
        "double": pa.float64(), "measured": pa.decimal128(10, 4), "day": pa.date32(),
        "since": pa.timestamp("us"), "moment": pa.timestamp("us", "UTC"), "text": pa.string(),
        "document": pa.string(), "bytes": pa.binary(),
    }  # fmt: skip
    assert table.to_pylist() == [
        {
            "yes": True, "small": 1, "whole": 2, "large": 9007199254740993, "double": 0.1,
            "measured": Decimal("1.5000"), "day": date(2020, 2, 29),
            "since": datetime(1, 1, 1, microsecond=1), "moment": datetime(2020, 1, 1, tzinfo=UTC),
            "text": 'é, "x"', "document": '{"b": [1]}', "bytes": b"ff00",
        }
    ]  # fmt: skip


def test_sums_keep_every_digit_though_they_state_no_scale(place: Path, ask: Ask) -> None:
    """The first row alone would not do: later ones have more digits, on either side."""
    sql = """
        select cast(v as numeric) as exact, cast(null as numeric) as none,
            cast('NaN' as numeric) as odd
        from (values (1, '1.5'), (2, '-0.0000000001'), (3, null), (4, '12345678901234567')) t(i, v)
        order by i
    """
    assert ask(sql, "--out", place / "x.parquet")[0] == 0
    table = pq.read_table(place / "x.parquet")
    assert table.schema.types == [pa.decimal128(38, 10), pa.decimal128(38, 0), pa.string()]
    expected = [Decimal("1.5"), Decimal("-0.0000000001"), None, Decimal("12345678901234567")]
    assert table.column("exact").to_pylist() == expected


def test_csv_is_what_csv_on_the_screen_is(place: Path, ask: Ask) -> None:
    assert ask(EVERY_TYPE, "--out", place / "x.csv")[0] == 0
    assert (place / "x.csv").read_text() == ask(EVERY_TYPE, "--csv")[1]
    assert len(list(csv.reader((place / "x.csv").open()))) == 2


def test_an_answer_without_rows_has_its_columns(place: Path, ask: Ask) -> None:
    none = "select cast(n as decimal(5, 2)) as x, sum(n) as n from numbers where false group by 1"
    assert ask(none, "--out", place / "x.parquet")[0] == 0
    table = pq.read_table(place / "x.parquet")
    assert (table.num_rows, table.schema.names) == (0, ["x", "n"])
    assert table.schema.types[0] == pa.decimal128(5, 2)


@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
def test_a_query_that_fails_late_leaves_the_file_as_it_was(
    place: Path, ask: Ask, name: str
) -> None:
    (place / name).write_text("of yesterday")
    late = "select 1 / (50000 - n) as x from generate_series(1, 60000) n"
    code, out, error = ask(late, "--out", place / name)
    assert (code, out) == (2, "")
    assert "division by zero" in error
    assert (place / name).read_text() == "of yesterday"
    assert names(place) == [name]
    assert ask("select n from numbers", "--out", place / name)[0] == 0
    assert "of yesterday" not in (place / name).read_text(errors="replace")
    assert names(place) == [name]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("select 1", "--out", "x.txt"), "*.parquet or *.csv"),
        (("select 1 as a, 2 as a", "--out", "x.parquet"), "several columns are called 'a'"),
        (("select 1", "--out", "nowhere/x.csv"), "cannot be written: No such file"),
        (("insert into numbers values (1) returning n", "--out", "x.csv"), "read-only transaction"),
    ],
)
def test_what_cannot_be_a_file_is_said(
    place: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(place)
    code, _, error = ask(*arguments)
    assert code == 2
    assert said in error
    assert names(place) == []


def test_a_limit_is_said_where_it_cuts(place: Path, ask: Ask) -> None:
    few = ("select n from numbers order by n", "--limit", "2")
    assert ask(*few, "--csv") == (0, "n\n1\n2\n", "the first 2 rows; there are more\n")
    assert ask("select n from numbers", "--limit", "9", "--csv")[2] == ""
    assert ask(*few, "--out", place / "x.csv")[0] == 0
    assert (place / "x.csv").read_text() == "n\n1\n2\n"


@pytest.mark.ci
def test_a_large_answer_takes_bounded_memory(place: Path) -> None:
    """Some 900 MB of rows, which would not fit as a whole."""
    sql = "select n, repeat('x', 1500) || n as text from generate_series(1, 600000) n"
    limited = (
        "import resource, runpy, sys; "
        "resource.setrlimit(resource.RLIMIT_DATA, (600 * 2**20,) * 2); "
        f"sys.argv = ['warehouse', 'query', {sql!r}, '--out', {str(place / 'x.parquet')!r}]; "
        "runpy.run_module('loaders.cli', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert pq.read_metadata(place / "x.parquet").num_rows == 600_000


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let processes be interrupted: those of a shell's background job would ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("select pg_sleep(60)", False),
        ("select generate_series(1, 100000000000) as n", True),
    ],
    ids=["before its first row", "while it is written"],
)
def test_an_interrupt_cancels_the_statement(
    place: Path, database: dict[str, Any], sql: str, written: bool
) -> None:
    running = subprocess.Popen(
        [*COMMAND, sql, "--out", str(place / "x.parquet")], stderr=subprocess.PIPE, text=True
    )
    with psycopg.connect(**database, autocommit=True) as other:
        active = (
            "select count(*) from pg_stat_activity "
            "where state = 'active' and pid <> pg_backend_pid() and query = %s"
        )

        def is_active() -> bool:
            return other.execute(active, (sql,)).fetchall() == [(1,)]

        def is_writing() -> bool:
            return any(item.stat().st_size for item in place.iterdir())

        wait_for(is_writing if written else is_active)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
        assert (running.returncode, said) == (
            130,
            "warehouse: interrupted; no statement is left running\n",
        )
        wait_for(lambda: not is_active())
    assert names(place) == []


def test_a_statement_that_does_not_end_is_said_to_run_still(
    place: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cancellation is lost, and who waits for the end interrupts once more."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(psycopg.Connection, "cancel_safe", lambda *_, **__: None)
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 2, 0.5)
    try:
        code, out, error = ask("select pg_sleep(60)", "--out", place / "x.csv")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (code, out) == (3, "")
    assert "may still run in the server's session " in error
    assert names(place) == []


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_on_a_terminal_a_long_answer_goes_through_the_pager(place: Path) -> None:
    """The pager takes three lines and ends: the answer has no end."""
    controller, terminal = pty.openpty()
    endless = "select generate_series(1, 100000000000) as n"
    running = subprocess.Popen(
        [*COMMAND, endless],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=os.environ | {"PAGER": "head -n 5", "TERM": "xterm", "LINES": "24", "COLUMNS": "80"},
    )
    os.close(terminal)
    assert running.wait(60) == 0
    shown = os.read(controller, 10_000).decode().split()
    os.close(controller)
    assert shown[0] == "n"
    assert shown[2:] == ["1", "2"]
