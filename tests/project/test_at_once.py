"""Loaders and builds at the same moment: whole batches, each once, and one build at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.project.desk import CORE, ROOT, Desk
from tests.project.test_builds import FACTS, connection, empty
from tests.tallies import tally

__all__ = ["empty"]  # a fixture

ROWS = 40  # of each batch: one day of measurements
# How much of each batch is there: in raw beside what its ledger row says, and of each day in marts.
TORN = {
    "raw": "select r._batch_id, count(*) from raw_research_db.measurements r group by 1 "
    "having count(*) <> coalesce((select rows_loaded from ledger.batches b "
    "where b.batch_id = r._batch_id), -1)",
    "ledger": "select batch_id, rows_loaded from ledger.batches b where rows_loaded <> "
    "(select count(*) from raw_research_db.measurements r where r._batch_id = b.batch_id)",
    "facts": "select measured_at::date, count(*) from research_warehouse.fact_measurements "
    f"group by 1 having count(*) <> {ROWS}",
    "days": "select measured_date, measurement_count "
    f"from research_warehouse.daily_measurement_summary where measurement_count <> {ROWS}",
}


def stage_batch(desk: Desk, number: int) -> list[str]:
    """Stage a file of one day; return its ids."""
    ids = [f"b{number:03}-{row:02}" for row in range(ROWS)]
    day = f"2020-{number // 28 + 1:02}-{number % 28 + 1:02}T00:00:00Z"
    desk.put_measurements(
        f"b{number:03}", *({"measurement_id": known, "measured_at": day} for known in ids)
    )
    return ids


@dataclass
class Reader:
    """Looks for half batches until it is told to stop; counts its looks."""

    desk: Desk
    looks: int = 0
    torn: list[tuple[object, ...]] = field(default_factory=list)

    def read(self, stop: threading.Event) -> None:
        """Poll, each query a snapshot of its own."""
        with connection(self.desk) as opened:
            opened.autocommit = True
            while not stop.wait(0.02):
                for name, sql in TORN.items():
                    self.torn += [(name, *row) for row in opened.execute(sql.encode())]
                self.looks += 1


@contextmanager
def beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Let work go on in a thread for the block; its error is the block's."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work, stop)
        try:
            yield
        finally:
            stop.set()
        done.result()


@pytest.mark.ci
@pytest.mark.parametrize("builds", [2, 8])
def test_a_loader_beside_builds_shows_whole_batches_only(empty: Desk, builds: int) -> None:
    empty.build()
    staged: list[str] = []
    loads = [0]

    def keep_loading(stop: threading.Event) -> None:
        while not stop.wait(0.2):
            staged.extend(stage_batch(empty, loads[0]))
            assert empty.load().rows == ROWS
            loads[0] += 1

    reader = Reader(empty)
    with beside(keep_loading), beside(reader.read):
        for _ in range(builds):
            empty.build()
    assert loads[0] > builds
    assert reader.looks > builds
    assert reader.torn == []
    empty.build(*CORE)
    assert [row[0] for row in empty.rows(FACTS)] == sorted(staged)
    marts = empty.marts()
    empty.build(*CORE, "--full-refresh")
    assert marts == empty.marts()
    tally(f"{loads[0]} loads beside {builds} builds, {reader.looks} looks, {len(staged)} rows")


def start(desk: Desk, *arguments: str) -> subprocess.Popen[str]:
    """Start a process of Python in the environment of the tests; its output is one text."""
    target = ("--profiles-dir", str(desk.project.settings.profiles_dir), "--target", "test")
    return subprocess.Popen(
        [sys.executable, *arguments, *target],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.ci
def test_of_two_runs_at_once_one_builds_and_the_other_says_who(empty: Desk) -> None:
    empty.build()
    ids = stage_batch(empty, 0)
    with connection(empty) as holder:
        # Whoever takes the build waits here until the other has ended.
        holder.execute(
            "lock table intermediate.int_measurements__normalized in access exclusive mode"
        )
        runs = [start(empty, "-m", "loaders.cli", "run") for _ in range(2)]
        ended = [run for run in runs if is_over(run, runs)]
        assert len(ended) == 1
        said = ended[0].communicate()[0]
        assert ended[0].returncode == 4, said
        assert "Another build holds this target" in said
        (held,) = empty.rows(
            "select invocation_id, db_user, to_char(started_at, 'YYYY-MM-DD HH24:MI:SS') "
            "from ledger.builds where finished_at is null"
        )
        assert all(part in said for part in held)
        holder.rollback()
    (builder,) = (run for run in runs if run is not ended[0])
    said = builder.communicate()[0]
    assert builder.returncode == 0, said
    assert [row[0] for row in empty.rows(FACTS)] == ids
    assert empty.rows("select count(*) from ledger.builds where finished_at is null") == [(0,)]


def is_over(run: subprocess.Popen[str], runs: list[subprocess.Popen[str]]) -> bool:
    """Wait until some run has ended; return whether this one has."""
    for _ in range(1200):
        if any(other.poll() is not None for other in runs):
            return run.poll() is not None
        threading.Event().wait(0.1)
    pytest.fail("two builds wait for each other")


@pytest.mark.parametrize("rounds", [3, pytest.param(30, marks=pytest.mark.ci)])
def test_two_loaders_share_the_files_of_one_table(empty: Desk, rounds: int) -> None:
    staged: list[str] = []
    for number in range(rounds):
        for file in range(3):
            staged += stage_batch(empty, 3 * number + file)
        barrier = threading.Barrier(2)

        def load(_: int, together: threading.Barrier = barrier) -> int:
            together.wait()
            return empty.load().rows

        with ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(load, range(2))) == 3 * ROWS
        loaded = empty.rows("select measurement_id from raw_research_db.measurements order by 1")
        assert [row[0] for row in loaded] == sorted(staged)
    events = empty.rows("select count(*), count(distinct batch_id) from ledger.events")
    assert events == empty.rows("select count(*), count(*) from ledger.batches")
