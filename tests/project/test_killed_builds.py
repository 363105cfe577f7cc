"""A dbt build whose server or process is killed: the next run heals it, without hand work."""

from __future__ import annotations

import os
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import yaml

from loaders.embedded.postgres import EmbeddedPostgres
from loaders.errors import BuildFailed
from loaders.warehouse.setup import setup
from tests.project.desk import CORE, ROOT, UNTESTED, Desk
from tests.project.test_at_once import stage_batch, start
from tests.project.test_builds import FACTS, connection, wait_for_lock
from tests.servers import kill_server
from tests.tallies import tally

FACT = "research_warehouse.fact_measurements"
TABLES = [
    "snapshots.snap_experiments",
    "intermediate.int_measurements__normalized",
    FACT,
    "research_warehouse.quarantined_measurements",
    "research_warehouse.daily_measurement_summary",
    "research_warehouse.monthly_measurement_summary",
]
BUILD = ("-m", "dbt.cli.main", "build", *UNTESTED, *CORE)
SOAK_KILLS = int(os.environ.get("SOAK_KILLS", "20"))


@pytest.fixture
def mortal(
    reachable_directory: Path, dbt_environment: Path, tmp_path: Path
) -> Iterator[tuple[EmbeddedPostgres, Callable[[], Desk]]]:
    """Run a server to kill; give it, and what opens the project on it as it runs now."""
    # What it has committed it must keep: fsync matters only when the machine dies as well.
    settings = {"fsync": "off", "restart_after_crash": "off"}
    server = EmbeddedPostgres(
        reachable_directory / "killed-builds", settings, refuge=reachable_directory / "refuge"
    )
    profile = yaml.safe_load((dbt_environment / "profiles.yml").read_text())

    def open_project() -> Desk:
        server.start()
        profile["research_warehouse"]["outputs"]["test"] |= {
            "port": server.port,
            "password": server.password,
            "dbname": server.database,
        }
        (tmp_path / "profiles.yml").write_text(yaml.safe_dump(profile))
        return Desk.open(ROOT, tmp_path, selection=CORE)

    desk = open_project()
    with desk.project.warehouse() as warehouse:
        setup(warehouse, desk.project.contracts)
    replace(desk, selection=()).build()
    yield server, open_project
    desk.clear_bucket()
    server.remove()


@contextmanager
def stopped_at(desk: Desk, table: str) -> Iterator[None]:
    """Keep a build from going beyond the model of this table, for the block."""
    with connection(desk) as holder:
        holder.execute(f"lock table {table} in access exclusive mode".encode())
        yield


def stage(desk: Desk, number: int) -> list[str]:
    """Stage a batch of measurements and an export; return the measurements' ids."""
    day = f"2020{number // 28 + 1:02}{number % 28 + 1:02}"
    desk.put_experiments(day, {"experiment_name": f"Name {number}"})
    return stage_batch(desk, number)


def assert_whole(desk: Desk, ids: list[str]) -> None:
    """Fail unless each measurement is a fact, once, and all is as a full refresh makes it."""
    assert [row[0] for row in desk.rows(FACTS)] == ids
    assert desk.rows("select count(*) from ledger.builds where finished_at is null") == [(0,)]
    assert desk.rows(
        "select count(*) from pg_locks l join pg_class c on c.oid = l.relation join pg_namespace n "
        "on n.oid = c.relnamespace where n.nspname = 'ledger' and l.pid <> pg_backend_pid()"
    ) == [(0,)]
    marts = desk.marts()
    desk.build("--full-refresh")
    assert marts == desk.marts()


@pytest.mark.ci
def test_a_server_killed_during_a_build_is_healed_by_one_run(
    mortal: tuple[EmbeddedPostgres, Callable[[], Desk]],
) -> None:
    server, open_project = mortal
    desk = open_project()
    ids = stage(desk, 0)
    desk.refresh()
    for number, table in enumerate(TABLES, 1):
        ids += stage(desk, number)
        desk.load()
        failures: list[BuildFailed] = []

        def build(desk: Desk = desk, failures: list[BuildFailed] = failures) -> None:
            try:
                desk.build()
            except BuildFailed as error:
                failures.append(error)

        builder = threading.Thread(target=build)
        # The connection that holds the lock ends with its server.
        with suppress(psycopg.OperationalError), stopped_at(desk, table):
            builder.start()
            wait_for_lock(desk)
            kill_server(server)
        builder.join()
        assert failures, table
        desk = open_project()
        assert desk.rows("select count(*) from ledger.builds where finished_at is null") == [(1,)]
        assert desk.refresh().exit_code == 0
        desk.test()
        assert_whole(desk, ids)
    tally(f"server killed at {len(TABLES)} models, {len(ids)} facts")


def heal(desk: Desk, build: subprocess.Popen[str], ids: list[str]) -> None:
    """Kill a build's process, wait until the server has noticed, run once, compare."""
    build.kill()
    build.communicate()
    sessions = (
        "select count(*) from pg_stat_activity where application_name = 'dbt' "
        "and datname = current_database()"
    )
    for _ in range(600):
        if desk.rows(sessions) == [(0,)]:
            break
        threading.Event().wait(0.1)
    desk.refresh()
    desk.test()
    assert_whole(desk, ids)


@pytest.mark.ci
def test_a_build_killed_at_a_model_is_healed_by_one_run(empty: Desk) -> None:
    ids = stage(empty, 0)
    empty.refresh()
    for number, table in enumerate(("intermediate.int_measurements__normalized", FACT), 1):
        ids += stage(empty, number)
        empty.load()
        with stopped_at(empty, table):
            build = start(empty, *BUILD)
            wait_for_lock(empty)
            build.kill()
        heal(empty, build, ids)


@pytest.mark.slow
def test_builds_killed_at_random_moments_are_healed_by_one_run(empty: Desk) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)  # noqa: S311
    ids = stage(empty, 0)
    empty.refresh()
    for number in range(1, SOAK_KILLS + 1):
        ids += stage(empty, number)
        empty.load()
        build = start(empty, *BUILD)
        moment = moments.uniform(3, 15)
        print(f"kill {number} after {moment:.2f} s")
        threading.Event().wait(moment)
        heal(empty, build, ids)
