"""One run of the loader: plan, load the batches over several connections, say what became of it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TypeVar

from loaders.contracts import Contract
from loaders.errors import Transient, WarehouseError
from loaders.ledger import Ledger
from loaders.retry import Backoff, retry
from loaders.staging.batches import Batch, BatchOutcome, FileOutcome
from loaders.staging.objects import Staging
from loaders.staging.plan import Place, Plan, TablePlan, WaitingExport, plan_table, unclaimed
from loaders.warehouse.base import OnProgress, Progress, Warehouse
from loaders.warehouse.database import ClaimedError

Connect = Callable[[], Warehouse]
T = TypeVar("T")

# Each round that finds files taken means that another loader went on; this many mean a defect.
MAX_ROUNDS = 50
LISTINGS_AT_ONCE = 8  # fewer than the connections that boto3 keeps


@dataclass(frozen=True)
class RefusedFile:
    """A file that was not loaded and why; `standing`: by an earlier run, and still there."""

    source_table: str
    bucket: str
    key: str
    reason: str
    detail: str
    standing: bool


@dataclass(frozen=True)
class BatchDone:
    """A batch that has just been loaded, or refused as a whole, and how long that took."""

    run_id: str
    outcome: BatchOutcome
    seconds: float


OnBatch = Callable[[BatchDone], None]


@dataclass(frozen=True)
class LoadResult:
    """What a run did. `moved` objects changed while it ran; the next run loads them."""

    run_id: str
    batches: tuple[BatchOutcome, ...]
    refused: tuple[RefusedFile, ...]
    waiting: tuple[WaitingExport, ...]
    moved: tuple[str, ...]
    skipped: int
    seconds: float

    @property
    def files(self) -> int:
        """Files whose rows were loaded."""
        return sum(len(batch.loaded) for batch in self.batches)

    @property
    def rows(self) -> int:
        """Rows loaded."""
        return sum(batch.rows_loaded for batch in self.batches)

    @property
    def bytes(self) -> int:
        """Stored bytes of the loaded files."""
        return sum(file.file.object.bytes for batch in self.batches for file in batch.loaded)

    @property
    def exit_code(self) -> int:
        """1 when data was refused, in this run or before and not resolved since; else 0."""
        return 1 if self.refused else 0


def make_plan(contracts: Sequence[Contract], warehouse: Warehouse, staging: Staging) -> Plan:
    """List the staging bucket, compare it with the ledger; write nothing."""
    book = Ledger(warehouse)
    place = Place(staging.bucket, staging.root, staging.read)
    # The ledger first: what another loader records after that is claimed, and planned again.
    states = [book.state(contract.name, staging.bucket) for contract in contracts]
    with ThreadPoolExecutor(LISTINGS_AT_ONCE) as pool:
        listings = pool.map(lambda contract: list(staging.list(contract.load.path)), contracts)
        try:
            tables = tuple(
                plan_table(contract, listing, state, place, warehouse.limits)
                for contract, listing, state in zip(contracts, listings, states, strict=True)
            )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # else the others are listed first
            raise
    return Plan(staging.bucket, tables, unclaimed(tables, staging.root))


def load(
    contracts: Sequence[Contract],
    connect: Connect,
    staging: Staging,
    *,
    command: str = "load",
    workers: int = 2,
    backoff: Backoff | None = None,
    on_progress: OnProgress = lambda progress: None,
    on_batch: OnBatch = lambda done: None,
) -> LoadResult:
    """Load all that is new, each object exactly once, whatever else is loading.

    `on_progress` and `on_batch` are called from the workers' threads, several at a time. Refused
    data is in the result. Raises UsageError, or WarehouseError when PostgreSQL or S3 fail after
    retries; what was committed until then stays and is not loaded again.
    """
    run = _Run(connect, staging, workers, backoff or Backoff(), on_progress, on_batch)
    session = _Session(connect, run.backoff)
    outcome = "failed"
    try:
        session.run(lambda warehouse: _start(warehouse, run.run_id, command))
        result = run.load(contracts, session)
        outcome = "refused" if result.exit_code else "done"
        return result
    except KeyboardInterrupt:
        outcome = "interrupted"
        raise
    finally:
        with suppress(WarehouseError):
            session.run(lambda warehouse: Ledger(warehouse).finish_run(run.run_id, outcome))
        session.close()


def _start(warehouse: Warehouse, run_id: str, command: str) -> None:
    with suppress(ClaimedError):  # the row of a lost answer
        Ledger(warehouse).start_run(run_id, command)


class _Session:
    """A connection that is made when needed, and made again after a transient fault."""

    def __init__(self, connect: Connect, backoff: Backoff) -> None:
        self._connect = connect
        self._backoff = backoff
        self._warehouse: Warehouse | None = None

    def run(self, action: Callable[[Warehouse], T]) -> T:
        """Return what `action` returns, repeated whole after transient faults."""
        return retry(lambda: self._attempt(action), self._backoff)

    def _attempt(self, action: Callable[[Warehouse], T]) -> T:
        if self._warehouse is None:
            self._warehouse = self._connect()
        try:
            return action(self._warehouse)
        except Transient:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._warehouse is not None:
            self._warehouse.close()
            self._warehouse = None


class _StoppedError(Exception):
    """Another worker failed or the user interrupted; the batch is rolled back."""


@dataclass
class _Run:
    """The state of one run."""

    connect: Connect
    staging: Staging
    workers: int
    backoff: Backoff
    on_progress: OnProgress
    on_batch: OnBatch
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    stopping: threading.Event = field(default_factory=threading.Event)

    def load(self, contracts: Sequence[Contract], session: _Session) -> LoadResult:
        started = time.monotonic()
        done: list[BatchOutcome] = []
        refused: list[RefusedFile] = []
        tables: dict[str, TablePlan] = {}
        todo = list(contracts)
        for _ in range(MAX_ROUNDS):
            plan = session.run(lambda warehouse: make_plan(todo, warehouse, self.staging))  # noqa: B023
            taken = set()
            for table in plan.tables:
                tables[table.contract.name] = table
                if self._record(table, session):
                    refused += [
                        _refused_file(table.contract, plan.bucket, file) for file in table.refusals
                    ]
                else:
                    taken.add(table.contract.name)
            outcomes, claimed = self._load_all(_chains(plan))
            done += outcomes
            taken |= claimed
            todo = [contract for contract in todo if contract.name in taken]
            if not todo:
                return self._result(done, refused, tables, time.monotonic() - started)
        raise Transient(
            f"other loaders took the files of {', '.join(sorted(taken))} {MAX_ROUNDS} times in a "
            "row; see who is loading with `warehouse status`"
        )

    def _record(self, table: TablePlan, session: _Session) -> bool:
        """Record the plan's own refusals; False when another loader was faster."""
        name, bucket = table.contract.name, self.staging.bucket
        try:
            if table.refusals:
                session.run(lambda to: to.record_refusals(name, bucket, table.refusals))
        except ClaimedError:
            return False
        return True

    def _load_all(self, chains: list[list[Batch]]) -> tuple[list[BatchOutcome], set[str]]:
        """Load the chains side by side; return the outcomes, and the tables to plan again."""
        queue: SimpleQueue[list[Batch]] = SimpleQueue()
        for chain in chains:
            queue.put(chain)
        outcomes: list[BatchOutcome] = []
        claimed: set[str] = set()
        with ThreadPoolExecutor(self.workers, "loader") as pool:
            futures = [
                pool.submit(self._work, queue) for _ in range(min(self.workers, len(chains)))
            ]
            try:
                for future in as_completed(futures):
                    loaded, taken = future.result()
                    outcomes += loaded
                    claimed |= taken
            except BaseException:
                self.stopping.set()
                raise
        return outcomes, claimed

    def _work(self, queue: SimpleQueue[list[Batch]]) -> tuple[list[BatchOutcome], set[str]]:
        outcomes: list[BatchOutcome] = []
        claimed: set[str] = set()
        session = _Session(self.connect, self.backoff)
        try:
            while True:
                chain = queue.get_nowait()
                for batch in chain:
                    started = time.monotonic()
                    outcome = session.run(lambda warehouse: self._load_batch(warehouse, batch))  # noqa: B023
                    if outcome is None:
                        claimed.add(batch.contract.name)
                        break
                    outcomes.append(outcome)
                    self.on_batch(BatchDone(self.run_id, outcome, time.monotonic() - started))
        except Empty:
            return outcomes, claimed
        finally:
            session.close()

    def _load_batch(self, warehouse: Warehouse, batch: Batch) -> BatchOutcome | None:
        """Load one batch; None when another loader has files of it."""
        try:
            return warehouse.load_batch(batch, self.staging, self.run_id, self._report)
        except ClaimedError:
            return Ledger(warehouse).recorded(batch, self.run_id)

    def _report(self, progress: Progress) -> None:
        if self.stopping.is_set():
            raise _StoppedError
        self.on_progress(progress)

    def _result(
        self,
        done: list[BatchOutcome],
        refused: list[RefusedFile],
        tables: dict[str, TablePlan],
        seconds: float,
    ) -> LoadResult:
        """Put the result together; `tables` has the last plan of each table."""
        bucket = self.staging.bucket
        for batch in done:
            refused += [
                _refused_file(batch.batch.contract, bucket, file)
                for file in batch.files
                if file.status == "refused"
            ]
        named = {(file.source_table, file.key) for file in refused}
        refused += [
            RefusedFile(name, bucket, row.key, row.reason or "", row.detail or "", True)
            for name, table in tables.items()
            for row in table.standing
            if (name, row.key) not in named  # refused in this run, then planned again
        ]
        return LoadResult(
            self.run_id,
            tuple(done),
            tuple(refused),
            tuple(export for table in tables.values() for export in table.waiting),
            tuple(
                file.file.object.key
                for batch in done
                for file in batch.files
                if file.status == "moved"
            ),
            sum(table.skipped for table in tables.values()),
            seconds,
        )


def _chains(plan: Plan) -> list[list[Batch]]:
    """Return what may be loaded side by side; the exports of one table load in order."""
    chains: list[list[Batch]] = []
    for table in plan.tables:
        if table.contract.load.complete_when:
            chains.append(list(table.batches))
        else:
            chains += [[batch] for batch in table.batches]
    return [chain for chain in chains if chain]


def _refused_file(contract: Contract, bucket: str, outcome: FileOutcome) -> RefusedFile:
    key = outcome.file.object.key
    return RefusedFile(
        contract.name, bucket, key, outcome.reason or "", outcome.detail or "", False
    )
