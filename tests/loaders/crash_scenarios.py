"""What is loaded when a loader is killed, and what must be in the warehouse after the next run."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from loading import EXPERIMENTS, HEADER, MEASUREMENTS, Lab, export, rows, write_sources

from loaders.contracts import Contract, load_contracts
from loaders.demo.dynamodb import full_export
from loaders.identifiers import Schemas
from loaders.rejects import requeue
from loaders.staging.batches import BatchLimits
from loaders.warehouse.redshift import RedshiftWarehouse

FOLDER = "lab/measurements/"
Files = Mapping[str, str | bytes]


class RedshiftLab(Lab):
    """A lab whose warehouse is reached with redshift-connector."""

    def connect(self) -> RedshiftWarehouse:  # type: ignore[override]
        """Open a connection; who calls it closes it."""
        warehouse = RedshiftWarehouse(self.connection, self.schemas)
        warehouse.limits = self.limits
        return warehouse


LABS: dict[str, type[Lab]] = {"postgres": Lab, "redshift": RedshiftLab}


def lab_of(target: str, connection: dict[str, Any], client: Any, bucket: str, name: str) -> Lab:
    """Return a lab with schemas and a staging folder of this name, and batches of two files."""
    limits = BatchLimits(files=2, bytes=1_000_000)
    return LABS[target](connection, client, bucket, Schemas(name), limits, root=f"{name}/")


@dataclass(frozen=True)
class Scenario:
    """Files that are loaded in peace, a change, and the rows that count after one more load.

    `files`: (key, generation, status) of the ledger; `superseded`: how many batches are.
    """

    tables: Mapping[str, Mapping[str, Any]]
    measurements: list[str]
    files: int
    columns: dict[str, str] | None = None
    first: Files = field(default_factory=dict)
    then: Files = field(default_factory=dict)
    act: Callable[[Lab], None] = lambda lab: None
    experiments: list[tuple[int, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    superseded: int = 0

    def contracts(self, project: Path) -> tuple[Contract, ...]:
        """Write the scenario's sources file, and read it as the loader does."""
        write_sources(project, dict(self.tables), self.columns)
        return load_contracts(project)

    def prepare(self, lab: Lab, contracts: tuple[Contract, ...]) -> None:
        """Bring the lab to where the load that is disturbed begins."""
        for key, body in self.first.items():
            lab.put(key, body)
        if self.first:
            lab.load(*contracts)
        for key, body in self.then.items():
            lab.put(key, body)
        self.act(lab)


DOCUMENTS = {"document": "super"}
EXPORT = {
    **{name: EXPERIMENTS[name] for name in ("path", "mode", "max_shrink")},
    "format": "json",
    "key": ["Item.id.S"],
    "complete_when": {"dynamodb_export": "full"},
}


def _export(day: int, *ids: str) -> dict[str, bytes]:
    items = [{"id": name} for name in ids]
    return full_export(EXPORT["path"], f"{day:02d}-x", items, datetime(2013, 1, day), files=2)


def _parquet(*ids: str) -> bytes:
    body = io.BytesIO()
    columns = {"id": list(ids), "value": ["1"] * len(ids), "updated_at": ["x"] * len(ids)}
    pq.write_table(pa.table(columns), body)
    return body.getvalue()


def _requeue_a(lab: Lab) -> None:
    warehouse = lab.connect()
    try:
        requeue(warehouse, "lab.measurements", lab.bucket, f"{lab.root}{FOLDER}a.csv")
    finally:
        warehouse.close()


SCENARIOS = {
    "append": Scenario(
        {"measurements": MEASUREMENTS | {"max_rejects": 1}},
        ["a1", "a2", "b1", "c1"],
        4,
        then={
            f"{FOLDER}a.csv": rows("a1", "a2"),
            f"{FOLDER}b.csv.gz": gzip.compress(rows("b1").encode(), mtime=0),
            f"{FOLDER}bad.csv": "wrong\n",
            f"{FOLDER}c.csv": f"{rows('c1')}c2,short\n",
        },
        refused=["bad.csv"],
        rejected=["bad.csv", "c.csv"],
    ),
    "snapshot": Scenario(
        {"experiments": EXPERIMENTS},
        [],
        4,
        then={
            export(1): rows("a", "b"),
            export(1, "part-1.csv"): rows("c"),
            export(1, "_SUCCESS"): "",
            export(2): rows("a"),
            export(2, "part-1.csv"): rows("c"),
            export(2, "_SUCCESS"): "",
            export(3): HEADER + "\n",
            export(3, "_SUCCESS"): "",
        },
        experiments=[(1, "a"), (1, "b"), (1, "c"), (2, "a"), (2, "c")],
        refused=["part-0.csv"],
    ),
    "replace": Scenario(
        {"measurements": MEASUREMENTS | {"on_changed_file": "replace"}},
        ["a1", "b2", "b3", "c1"],
        3,
        first={f"{FOLDER}a.csv": rows("a1"), f"{FOLDER}b.csv": rows("b1")},
        then={f"{FOLDER}b.csv": rows("b2", "b3"), f"{FOLDER}c.csv": rows("c1")},
        superseded=1,
    ),
    "requeue": Scenario(
        {"measurements": MEASUREMENTS},
        ["a1", "a2", "b1"],
        2,
        first={f"{FOLDER}a.csv": rows("a1", "a2"), f"{FOLDER}b.csv": rows("b1")},
        act=_requeue_a,
        superseded=1,
    ),
    "documents": Scenario(
        {"measurements": MEASUREMENTS | {"files": "*", "format": "json", "max_rejects": 1}},
        ["a1", "a2", "b1", "b2"],
        2,
        DOCUMENTS,
        then={
            f"{FOLDER}a.json.gz": gzip.compress(b'{"id":"a1"}{"id":"a2"}', mtime=0),
            f"{FOLDER}b.json": '{"id":"b1"}\n{"id":"b2"}\n{"id":"b',
        },
        rejected=["b.json"],
    ),
    "parquet": Scenario(
        {"measurements": MEASUREMENTS | {"files": "*", "format": "parquet"}},
        ["a1", "a2", "b1"],
        3,
        then={
            f"{FOLDER}a.parquet": _parquet("a1", "a2"),
            f"{FOLDER}b.parquet": _parquet("b1"),
            f"{FOLDER}cut.parquet": _parquet("c1")[:-8],
        },
        refused=["cut.parquet"],
        rejected=["cut.parquet"],
    ),
    "dynamodb": Scenario(
        {"experiments": EXPORT},
        [],
        4,
        DOCUMENTS,
        then=_export(1, "a", "b", "c", "d") | _export(2, "a") | _export(3, "a", "d"),
        experiments=[(1, "a"), (1, "b"), (1, "c"), (1, "d"), (3, "a"), (3, "d")],
        refused=["02-x-0000.json.gz", "02-x-0001.json.gz"],
    ),
}
