"""A loader that is killed at any exchange with its warehouse or S3: the next run heals it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from crash_scenarios import SCENARIOS, Scenario, lab_of
from loading import Lab

from loaders.contracts import Contract
from loaders.formats.json_form import JsonForm
from loaders.load_run import make_plan
from loaders.warehouse.base import Warehouse
from tests.tallies import tally

SAMPLE = 3  # in make test so many points of each scenario; make test-long takes all
# What a load does, as the watched drivers name it: the enumeration must have seen each of these.
STEPS = {
    "postgres": [
        "s3 ListObjectsV2",
        "s3 GetObject",
        'sent insert into "ledger"."runs"',
        'sent insert into "ledger"."files"',
        "sent begin",
        "sent copy",
        "before copy_to",
        "sent copy_end",
        'sent update "ledger"."files"',
        'sent insert into "ledger"."batches"',
        'sent insert into "ledger"."events"',
        "sent commit or rollback",
        'sent update "ledger"."runs"',
    ],
    "redshift": [
        "s3 ListObjectsV2",
        "s3 GetObject",
        "s3 PutObject",
        "s3 HeadObject",
        "s3 DeleteObject",
        "sent create temporary table",
        "sent copy",
        "sent begin",
        'sent lock table "ledger"."publish_lock"',
        'sent insert into "ledger"."files"',
        'sent insert into "raw_lab".',
        'sent insert into "ledger"."batches"',
        'sent insert into "ledger"."events"',
        "sent commit",
        'sent update "ledger"."runs"',
    ],
}
LOCKS = (
    "select count(*) from pg_locks l join pg_class c on c.oid = l.relation "
    "join pg_namespace n on n.oid = c.relnamespace "
    "where n.nspname like '{}%' and l.pid <> pg_backend_pid()"
)


def sample(names: Iterable[str], *kept: str) -> list[Any]:
    """Return the names as parameters, all but some of them for CI only."""
    return [name if name in kept else pytest.param(name, marks=pytest.mark.ci) for name in names]


@dataclass(frozen=True)
class Target:
    """A warehouse and an S3 that loaders in other processes reach too.

    `count` runs a query as the engine's superuser; `prefix` begins the names of the test's schemas.
    """

    name: str
    connection: dict[str, Any]
    client: Any
    bucket: str
    prefix: str
    count: Callable[[str], int]

    def lab(self, number: int) -> Lab:
        """Return the lab of one killed load."""
        name = f"{self.prefix}{number}"
        return lab_of(self.name, self.connection, self.client, self.bucket, name)


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.xdist_group(f"kills on {name}"))
        for name in ("postgres", "redshift")
    ]
)
def target(request: pytest.FixtureRequest) -> Target:
    """Give a target; only its own servers are started."""
    prefix = f"k{uuid.uuid4().hex[:8]}_"
    if request.param == "postgres":
        name, client = request.getfixturevalue("staging_bucket")
        database = request.getfixturevalue("database")

        def count(sql: str) -> int:
            with psycopg.connect(**database) as connection:
                return int(connection.execute(sql.encode()).fetchall()[0][0])

        return Target("postgres", database, client, name, prefix, count)
    standin, bucket = request.getfixturevalue("standin"), request.getfixturevalue("bucket")
    connection = {
        "host": standin.host,
        "port": standin.port,
        "database": standin.database,
        "user": standin.user,
        "password": standin.password,
        "sslmode": "verify-full",
    }

    def ask(sql: str) -> int:
        return int(standin.admin(sql)[0][0])

    return Target("redshift", connection, bucket.client, bucket.name, prefix, ask)


def kill_loads(
    target: Target, name: str, project: Path, deaths: int | None
) -> tuple[list[str], list[int]]:
    """Kill loads of a scenario; return the points of an undisturbed one, and where they died."""
    settings = {
        "target": target.name,
        "scenario": name,
        "project": str(project),
        "connection": target.connection,
        "bucket": target.bucket,
        "s3_url": target.client.meta.endpoint_url,
        "prefix": target.prefix,
        "deaths": deaths,
    }
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed_loads.py")],
        input=json.dumps(settings),
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return found["reached"], found["killed"]


def assert_healed(lab: Lab, scenario: Scenario, contracts: tuple[Contract, ...]) -> int:
    """Fail unless all is there and nothing is left to do; return the number of raw rows."""
    with closing(lab.connect()) as warehouse:
        plan = make_plan(contracts, warehouse, lab.staging)
        assert (plan.batches, [table.refusals for table in plan.tables]) == ((), [()])
        return compare(warehouse, scenario, contracts)


def compare(warehouse: Warehouse, scenario: Scenario, contracts: tuple[Contract, ...]) -> int:
    """Compare the warehouse with what the scenario says must be there; return the raw rows."""
    ledger, raw, fetch = warehouse.schemas.ledger, warehouse.schemas.raw, warehouse.fetch
    live = (
        f"not exists (select 1 from {ledger('events').sql} e "
        "where e.batch_id = r._batch_id and e.event = 'superseded')"
    )
    copied = 0
    for contract in contracts:
        table, key = raw("lab", contract.table).sql, "id"
        if isinstance(contract.form, JsonForm):
            key = warehouse.document_text("document", contract.load.key[0])
        if contract.table == "measurements":
            found = fetch(f"select {key} from {table} r where {live} order by 1")
            assert [row[0] for row in found] == scenario.measurements
        else:
            found = fetch(
                f"select b.version_at, {key} from {table} r join {ledger('batches').sql} b "
                f"on b.batch_id = r._batch_id where {live} order by 1, 2"
            )
            assert [(at.day, key) for at, key in found] == scenario.experiments
        # Every row belongs to a batch, which has as many as it says, and so have its files.
        counted = fetch(f"select _batch_id, count(*) from {table} group by 1 order by 1")
        assert counted == fetch(
            f"select batch_id, rows_loaded from {ledger('batches').sql} "
            "where rows_loaded > 0 order by 1"
        )
        assert counted == fetch(
            f"select batch_id, sum(rows_loaded) from {ledger('files').sql} "
            "where rows_loaded > 0 group by 1 order by 1"
        )
        copied += sum(int(rows) for _, rows in counted)
    events = fetch(
        f"select event, count(*), count(distinct batch_id) from {ledger('events').sql} group by 1"
    )
    batches = fetch(f"select count(*) from {ledger('batches').sql}")[0][0]
    superseded = [("superseded", scenario.superseded, scenario.superseded)]
    assert sorted(events) == [
        ("loaded", batches, batches),
        *(superseded if scenario.superseded else []),
    ]
    files = fetch(
        "select object_key, status, rows_read - rows_loaded - rows_rejected "
        f"from {ledger('files').sql} where status <> 'requeued' order by 1"
    )
    latest = {str(key).rpartition("/")[2]: status for key, status, _ in files}
    assert [key for key, status in latest.items() if status == "refused"] == scenario.refused
    assert {balance for _, _, balance in files} == {0}
    rejected = fetch(f"select object_key, count(*) from {ledger('rejected_rows').sql} group by 1")
    assert sorted(str(key).rpartition("/")[2] for key, _ in rejected) == scenario.rejected
    return copied


def assert_no_locks(target: Target) -> None:
    """Fail if a session still holds a lock in the test's schemas once the killed are gone."""
    for _ in range(100):
        if not target.count(LOCKS.format(target.prefix)):
            return
        threading.Event().wait(0.1)
    pytest.fail("a lock was left")


def crash(target: Target, name: str, project: Path, deaths: int | None) -> None:
    scenario = SCENARIOS[name]
    contracts = scenario.contracts(project)
    reached, killed = kill_loads(target, name, project, deaths)
    calm = target.lab(0)
    seen = [point.replace(f"{target.prefix}0_", "") for point in reached]
    for step in STEPS[target.name]:
        assert any(point.startswith(step) for point in seen), f"{step}: {seen}"
    rows = assert_healed(calm, scenario, contracts)
    for number in killed:
        survivor = target.lab(number)
        result = survivor.load(*contracts, workers=1)
        where = f"killed at {number}, {reached[number - 1]}"
        try:
            rows += assert_healed(survivor, scenario, contracts)
            assert result.exit_code == (1 if scenario.refused else 0)
        except AssertionError as error:
            error.add_note(where)
            raise
    assert_no_locks(target)
    tally(f"{target.name} {name}: {len(reached)} kill points, {len(killed)} killed, {rows} rows")


@pytest.mark.parametrize("name", ["append"])
def test_a_load_killed_at_some_points_is_healed_by_the_next(
    target: Target, name: str, tmp_path: Path
) -> None:
    crash(target, name, tmp_path, SAMPLE)


@pytest.mark.ci
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_load_killed_at_every_point_is_healed_by_the_next(
    target: Target, name: str, tmp_path: Path
) -> None:
    crash(target, name, tmp_path, None)
