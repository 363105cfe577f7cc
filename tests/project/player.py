"""Plays a history on a real warehouse and bucket, and compares what is there with the oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from loaders.contracts import Contract
from loaders.dbt_runner import Dbt
from loaders.load_run import load
from loaders.nightly import replay_exports
from loaders.project import Project
from loaders.rejects import requeue
from tests.project.acceptance import Bucket
from tests.project.desk import UNTESTED, subjects
from tests.project.events import (
    Built,
    Delete,
    History,
    Loaded,
    Move,
    Put,
    Ran,
    Requeue,
    moves,
)  # fmt: skip
from tests.project.measurement_oracle import Marts, expect
from tests.project.sales_oracle import expect_sales

Counted = dict[str, Counter[tuple[Any, ...]]]  # by mart: its rows, sorted by column

# Subjects that the histories do not reach: they have tests of their own.
ELSEWHERE = ("literature", "observations", "shop")


def build_of(*sources: str) -> tuple[str, ...]:
    """Return the arguments of a build of what these sources reach."""
    reached = (f"source:{source}+" for source in sources)
    elsewhere = (*subjects(*ELSEWHERE), "path:models/observability")
    return (*UNTESTED, "--select", *reached, "--exclude", *elsewhere)


# What the histories reach; seeds, which cannot be replayed, are not downstream of a source.
BUILD = build_of("research_db", "sales")
SNAPSHOTS = ("snap_experiments", "snap_locations")
OF_DBT = ("dbt_scd_id", "dbt_updated_at")
# I2, of the live batches: rows that were sent, and what became of them.
BALANCE = """
    select raw.n as rows, facts.n as facts, quarantined.n as quarantined,
        normalized.n - facts.n - quarantined.n as superseded
    from (
        select count(*) as n from raw_research_db.measurements where _batch_id not in
            (select batch_id from ledger.events where event = 'superseded')
    ) as raw,
    (select count(*) as n from intermediate.int_measurements__normalized where _is_live)
        as normalized,
    (select count(*) as n from research_warehouse.fact_measurements) as facts,
    (select count(*) as n from research_warehouse.quarantined_measurements) as quarantined
"""
UNBALANCED = """
    select object_key as what from ledger.files
    where status = 'loaded' and rows_read <> rows_loaded + rows_rejected
    union all
    select source_table || ' ' || batches.batch_id from ledger.batches left join (
        select batch_id, sum(rows_loaded) as n from ledger.files where status = 'loaded' group by 1
    ) as files on files.batch_id = batches.batch_id
    where rows_loaded <> files.n
"""


@dataclass
class Tally:
    """What was played and compared."""

    histories: int = 0
    loads: int = 0
    builds: int = 0
    comparisons: int = 0
    rows: int = 0

    def __str__(self) -> str:
        return (
            f"{self.histories} histories, {self.loads} loads, {self.builds} builds, "
            f"{self.comparisons} comparisons of {self.rows} rows"
        )


@dataclass
class Player:
    """One warehouse that holds what a first build of nothing leaves, and an empty bucket."""

    project: Project
    dbt: Dbt
    tally: Tally
    history: History
    build: tuple[str, ...] = BUILD
    bucket: Bucket = field(init=False)

    def __post_init__(self) -> None:
        self.bucket = Bucket(self.history.on_changed_file)

    def play(self) -> Counted:
        """Play the history; compare after each run, and after a full refresh at the end."""
        self.tally.histories += 1
        for move in moves(self.history):
            self.do(move)
            if isinstance(move, Ran):
                self._compare()
        self._build("--full-refresh")
        return self._compare()

    def do(self, move: Move) -> None:
        """Make one move, in the warehouse and in the oracle's bucket."""
        bucket, staging = self.bucket, self.project.staging
        match move:
            case Put(key, body):
                bucket.staged[key] = body
                text = body.text() if body else ""
                staging.client.put_object(Bucket=staging.bucket, Key=key, Body=text.encode())
            case Delete(key):
                bucket.staged.pop(key, None)
                staging.client.delete_object(Bucket=staging.bucket, Key=key)
            case Requeue(table, key):
                bucket.requeued.add(key)
                with self.project.warehouse() as warehouse:
                    requeue(warehouse, f"research_db.{table}", staging.bucket, key)
            case Loaded():
                self._load()
            case Built(full_refresh):
                self._build(*(["--full-refresh"] if full_refresh else []))
            case Ran():
                self._load()
                replay_exports(self.dbt)
                self._build()

    def _load(self) -> None:
        self.tally.loads += 1
        contracts = [_under(contract, self.history) for contract in self.project.contracts]
        result = load(contracts, self.project.connect, self.project.staging)
        assert {file.key for file in result.refused if not file.standing} == self.bucket.load()
        assert not result.moved

    def _build(self, *arguments: str) -> None:
        self.tally.builds += 1
        self.dbt.invoke("build", *self.build, *arguments)

    def _compare(self) -> Counted:
        expected = counted(expect(self.bucket.accepted()) | expect_sales(self.bucket.sales_rows()))
        actual = counted(self._read(list(expected)))
        for mart, rows in expected.items():
            assert (mart, actual[mart] - rows, rows - actual[mart]) == (mart, {}, {})
        self.tally.comparisons += 1
        self.tally.rows += sum(rows.total() for rows in expected.values())
        return actual

    def _read(self, marts: list[str]) -> Marts:
        """Return the rows of marts and snapshots, without the columns of the load and of dbt."""
        found: Marts = {}
        with self.project.warehouse() as warehouse:
            for mart in marts:
                sql = BALANCE if mart == "balance" else f"select * from {_schema(mart)}.{mart}"
                with warehouse.query(sql) as result:
                    found[mart] = [
                        {
                            name: value
                            for name, value in zip(result.columns, row, strict=True)
                            if name not in OF_DBT and not name.startswith("_")
                        }
                        for row in result.rows
                    ]
            with warehouse.query(UNBALANCED) as result:
                assert list(result.rows) == []
        return found


def _schema(mart: str) -> str:
    return "snapshots" if mart in SNAPSHOTS else "research_warehouse"


def _under(contract: Contract, history: History) -> Contract:
    """Return the contract with the history's rule for changed files."""
    if contract.table != "measurements":
        return contract
    rule = {"on_changed_file": history.on_changed_file}
    return replace(contract, load=contract.load.model_copy(update=rule))


def counted(marts: Marts) -> Counted:
    def ordered(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(sorted(row.items()))

    return {mart: Counter(map(ordered, rows)) for mart, rows in marts.items()}
