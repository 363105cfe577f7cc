"""Connections that are cut and servers that are killed: the run itself heals it, or the next."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from crash_scenarios import SCENARIOS, lab_of
from cutting_proxy import CuttingProxy, When
from loading import Lab
from test_crash_points import assert_healed, sample

from loaders.embedded.postgres import EmbeddedPostgres
from loaders.errors import Transient
from loaders.warehouse.base import Progress
from tests.servers import kill_server
from tests.standin.faults import Faults
from tests.standin.fixtures import Bucket
from tests.standin.server import StandIn
from tests.tallies import tally

COMMIT = b"COMMIT\0"


def load_through(
    database: dict[str, Any], staging: tuple[str, Any], project: Path, name: str,
    cut_at: int, when: When,
) -> list[bytes]:  # fmt: skip
    """Load a scenario with one connection cut; check what came of it; return the exchanges."""
    bucket, client = staging
    scenario = SCENARIOS[name]
    contracts = scenario.contracts(project)
    lab = lab_of("postgres", database, client, bucket, f"c{uuid.uuid4().hex[:8]}")
    lab.setup(*contracts)
    scenario.prepare(lab, contracts)
    proxy = CuttingProxy((database["host"], database["port"]), cut_at, when)
    lab.connection = database | {"port": proxy.port, "host": "127.0.0.1"}
    result = lab.load(*contracts, workers=1)
    proxy.close()
    lab.connection = database
    assert result.exit_code == (1 if scenario.refused else 0)
    assert_healed(lab, scenario, contracts)
    return proxy.exchanges


@pytest.mark.parametrize("name", sample(SCENARIOS, "replace"))
def test_an_unknown_commit_is_settled_by_the_same_run(
    database: dict[str, Any], staging_bucket: tuple[str, Any], tmp_path: Path, name: str
) -> None:
    calm = load_through(database, staging_bucket, tmp_path, name, 0, "before")
    commits = [number for number, sent in enumerate(calm, 1) if sent == COMMIT]
    assert commits
    for number in commits:
        load_through(database, staging_bucket, tmp_path, name, number, "after")


@pytest.mark.ci
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_connection_cut_at_any_exchange_is_healed_by_the_same_run(
    database: dict[str, Any], staging_bucket: tuple[str, Any], tmp_path: Path, name: str, when: When
) -> None:
    calm = load_through(database, staging_bucket, tmp_path, name, 0, "before")
    for number in range(1, len(calm) + 1):
        load_through(database, staging_bucket, tmp_path, name, number, when)
    tally(f"postgres {name}: {len(calm)} exchanges cut {when}")


@pytest.mark.ci
@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "error_1023"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fault_at_any_statement_on_redshift_is_healed_by_the_same_run(
    standin: StandIn, bucket: Bucket, faults: Faults, tmp_path: Path, name: str, fault: str
) -> None:
    scenario = SCENARIOS[name]
    contracts = scenario.contracts(tmp_path)
    connection = {
        "host": standin.host,
        "port": standin.port,
        "database": standin.database,
        "user": standin.user,
        "password": standin.password,
        "sslmode": "verify-full",
    }
    struck = 0
    while True:
        lab = lab_of("redshift", connection, bucket.client, bucket.name, f"c{uuid.uuid4().hex[:8]}")
        lab.setup(*contracts)
        scenario.prepare(lab, contracts)
        getattr(faults, fault)(".", skip=struck)
        result = lab.load(*contracts, workers=1)
        if not faults.all_struck:
            break
        assert result.exit_code == (1 if scenario.refused else 0)
        assert_healed(lab, scenario, contracts)
        struck += 1
    assert struck > 20
    tally(f"redshift {name}: {struck} statements, {fault}")


def test_the_server_gives_a_vanished_client_up_within_a_minute(lab: Lab) -> None:
    settings = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
    with closing(lab.connect()) as warehouse:
        idle, interval, count = (int(warehouse.fetch(f"show {name}")[0][0]) for name in settings)
        assert warehouse.fetch("show tcp_user_timeout") == [("60000",)]  # ms
    assert min(idle, interval, count) > 0  # 0 is the operating system's own: two hours
    assert idle + interval * count <= 60


@pytest.fixture(scope="module")
def mortal(reachable_directory: Path) -> Iterator[EmbeddedPostgres]:
    """Run a server to kill; what it has committed it must keep."""
    settings = {"fsync": "off", "restart_after_crash": "off"}
    server = EmbeddedPostgres(
        reachable_directory / "mortal", settings, refuge=reachable_directory / "refuge"
    )
    server.start()
    yield server
    server.remove()


@pytest.mark.parametrize(
    "step", sample(["claimed", "reading", "read", "recorded", "committed"], "reading", "committed")
)
def test_a_server_killed_during_a_load_loses_and_doubles_nothing(
    mortal: EmbeddedPostgres, staging_bucket: tuple[str, Any], tmp_path: Path, step: str
) -> None:
    scenario = SCENARIOS["append"]
    contracts = scenario.contracts(tmp_path)
    bucket, client = staging_bucket
    connection = {
        "host": mortal.host,
        "port": mortal.port,
        "user": mortal.superuser,
        "password": mortal.password,
        "dbname": mortal.database,
    }
    lab = lab_of("postgres", connection, client, bucket, f"s{uuid.uuid4().hex[:8]}")
    lab.setup(*contracts)
    scenario.prepare(lab, contracts)
    killed = []

    def kill(progress: Progress) -> None:
        if progress.step == step and not killed:
            killed.append(progress)
            kill_server(mortal)

    with pytest.raises(Transient) as caught:
        lab.load(*contracts, workers=1, on_progress=kill)
    assert caught.value.exit_code == 3
    mortal.start()
    lab.connection = connection | {"port": mortal.port}
    assert killed
    assert lab.load(*contracts, workers=1).exit_code == 1  # of the bad file
    assert_healed(lab, scenario, contracts)
