"""Exactly once, whatever is killed, lost or run at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from loading import EXPERIMENTS, MEASUREMENTS, QUICK, Lab, contract_of, export, rows, write_sources

from loaders.contracts import Contract, load_contracts
from loaders.errors import Transient, WarehouseError
from loaders.identifiers import Schemas
from loaders.load_run import load
from loaders.staging.batches import BatchLimits, BatchOutcome
from loaders.warehouse.base import Progress
from loaders.warehouse.postgres import PostgresWarehouse

FILES = 5
LEDGER = (
    "select source_table, object_key, generation, status, rows_loaded from {}.files order by 2, 3"
)


@pytest.fixture
def contracts(tmp_path: Path, lab: Lab) -> tuple[Contract, ...]:
    """Two tables; good and bad files in several batches, and two exports, in the bucket."""
    lab.limits = BatchLimits(files=2, bytes=1_000_000)
    write_sources(tmp_path, {"measurements": MEASUREMENTS, "experiments": EXPERIMENTS})
    for number in range(FILES):
        lab.put(f"lab/measurements/{number}.csv", rows(f"m{number}", f"n{number}"))
    lab.put("lab/measurements/bad.csv", "wrong\n")
    for day in (1, 2):
        lab.put(export(day), rows("a", "b"))
        lab.put(export(day, "part-1.csv"), rows("c"))
        lab.put(export(day, "_SUCCESS"), "")
    return load_contracts(tmp_path)


def state(lab: Lab) -> list[Any]:
    """Return everything that must not depend on what happened on the way."""
    ledger, raw = lab.schemas.schema("ledger"), lab.schemas.schema("raw_lab")
    return [
        lab.fetch(LEDGER.format(ledger)),
        lab.fetch(f"select source_table, rows_loaded from {ledger}.batches order by 1, 2"),
        lab.fetch(f"select id, value from {raw}.measurements order by 1"),
        lab.fetch(
            f"select b.version_at, r.id from {raw}.experiments r "
            f"join {ledger}.batches b on b.batch_id = r._batch_id order by 1, 2"
        ),
        lab.fetch(
            f"select event, count(*) from {ledger}.events e "
            f"join {ledger}.batches b on b.batch_id = e.batch_id group by 1"
        ),
    ]


def undisturbed(lab: Lab, contracts: tuple[Contract, ...]) -> list[Any]:
    calm = Lab(lab.connection, lab.client, lab.bucket, Schemas("calm"), lab.limits)
    calm.setup(*contracts)
    calm.load(*contracts)
    return state(calm)


@pytest.mark.parametrize("loaders", [2, 4])
def test_loaders_at_the_same_time_load_each_file_once(
    lab: Lab, contracts: tuple[Contract, ...], loaders: int
) -> None:
    lab.setup(*contracts)
    barrier = threading.Barrier(loaders)

    def one_load(_: int) -> int:
        barrier.wait()
        return lab.load(*contracts, workers=2).rows

    with ThreadPoolExecutor(loaders) as pool:
        loaded = list(pool.map(one_load, range(loaders)))
    assert state(lab) == undisturbed(lab, contracts)
    assert sum(loaded) == 2 * FILES + 6


def test_loaders_that_replace_the_same_file_supersede_it_once(lab: Lab, tmp_path: Path) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS, on_changed_file="replace")
    lab.setup(contract)
    for number in range(FILES):
        lab.put(f"lab/measurements/{number}.csv", rows(f"old{number}"))
    lab.load(contract)
    for number in range(FILES):
        lab.put(f"lab/measurements/{number}.csv", rows(f"new{number}"))
    with ThreadPoolExecutor(2) as pool:
        loaded = list(pool.map(lambda _: lab.load(contract).rows, range(2)))
    assert sum(loaded) == FILES
    assert lab.live_ids() == [f"new{number}" for number in range(FILES)]
    superseded = lab.fetch(
        "select count(*), count(distinct batch_id) from ledger.events where event = 'superseded'"
    )
    assert superseded == [(FILES, FILES)]


def once(action: Callable[[], None], step: str) -> Callable[[Progress], None]:
    """Return a progress callback that acts at the first report of a step."""
    left = [action]

    def report(progress: Progress) -> None:
        if progress.step == step and left:
            left.pop()()

    return report


@pytest.mark.parametrize("step", ["claimed", "reading", "read", "recorded"])
def test_a_connection_that_drops_before_the_commit_is_made_again(
    lab: Lab, contracts: tuple[Contract, ...], step: str
) -> None:
    lab.setup(*contracts)

    def drop_connections() -> None:
        with psycopg.connect(**lab.connection) as connection:
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where application_name = 'warehouse' and datname = current_database()"
            )

    lab.load(*contracts, on_progress=once(drop_connections, step))
    assert state(lab) == undisturbed(lab, contracts)


class Forgetful(PostgresWarehouse):
    """Loses the answer to the first COMMIT of each kind of batch."""

    limits = BatchLimits(files=2, bytes=1_000_000)
    lost: set[tuple[str, int]]

    def load_batch(self, *arguments: Any) -> BatchOutcome:
        """Load it, and fail afterwards."""
        outcome = super().load_batch(*arguments)
        identity = (outcome.batch.files[0].object.key, outcome.batch.files[0].generation)
        if identity not in self.lost:
            self.lost.add(identity)
            raise Transient("the connection broke before the answer to COMMIT came")
        return outcome


def test_a_lost_answer_to_commit_is_settled_by_the_key(
    lab: Lab, contracts: tuple[Contract, ...]
) -> None:
    lab.setup(*contracts)
    lost: set[tuple[str, int]] = set()

    def connect() -> Forgetful:
        warehouse = Forgetful(lab.connection, lab.schemas)
        warehouse.lost = lost
        return warehouse

    result = load(contracts, connect, lab.staging, backoff=QUICK)
    assert len(lost) == 3 + 2
    assert state(lab) == undisturbed(lab, contracts)
    # The run reports them as its own.
    assert (result.files, result.rows) == (FILES + 4, 2 * FILES + 6)
    assert [file.reason for file in result.refused] == ["header_differs"]


def test_a_fault_that_stays_is_reported_after_the_retries(
    lab: Lab, contracts: tuple[Contract, ...]
) -> None:
    lab.setup(*contracts)
    tries = []

    def fail(progress: Progress) -> None:
        tries.append(progress)
        raise Transient("no answer")

    with pytest.raises(Transient, match="no answer"):
        lab.load(*contracts, workers=1, on_progress=fail)
    assert len(tries) == QUICK.attempts
    assert lab.files() == []
    assert lab.fetch("select outcome from ledger.runs") == [("failed",)]


def test_an_interrupt_leaves_whole_batches_only(lab: Lab, contracts: tuple[Contract, ...]) -> None:
    lab.setup(*contracts)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.load(*contracts, on_progress=once(interrupt, "read"))
    assert lab.fetch("select outcome from ledger.runs") == [("interrupted",)]
    lab.load(*contracts)
    assert state(lab) == undisturbed(lab, contracts)


def test_a_wrong_password_is_told_without_it(lab: Lab, contracts: tuple[Contract, ...]) -> None:
    lab.connection = {**lab.connection, "password": "canary-7f3"}
    with pytest.raises(WarehouseError, match="authentication failed") as caught:
        lab.load(*contracts)
    chain: BaseException | None = caught.value
    while chain is not None:
        assert "canary-7f3" not in f"{chain} {chain!r}"
        chain = chain.__cause__
    assert caught.value.exit_code == 2
