"""Contracts and a staging bucket for the loader's tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from loaders.contracts import Contract, load_contracts
from loaders.identifiers import Schemas
from loaders.load_run import LoadResult, load
from loaders.retry import Backoff
from loaders.staging.batches import BatchLimits
from loaders.staging.objects import Staging
from loaders.warehouse.postgres import PostgresWarehouse
from loaders.warehouse.setup import setup

QUICK = Backoff(attempts=4, first=0.01)
HEADER = "id,value,updated_at"
MEASUREMENTS: dict[str, Any] = {
    "path": "lab/measurements/",
    "files": "*.csv*",
    "format": "csv",
    "mode": "append",
    "key": ["id"],
    "sequence_by": ["updated_at"],
}
EXPERIMENTS: dict[str, Any] = {
    "path": "lab/experiments/",
    "files": "*.csv*",
    "format": "csv",
    "mode": "snapshot",
    "key": ["id"],
    "version_from": "exported_at={version_at}/",
    "complete_when": {"marker": "_SUCCESS"},
    "max_shrink": 0.5,
}
COLUMNS = {"id": "varchar(16)", "value": "varchar(32)", "updated_at": "varchar(40)"}


def write_sources(
    project: Path,
    tables: dict[str, dict[str, Any]],
    columns: dict[str, str] | None = None,
    source: str = "lab",
) -> Path:
    """Write a sources file with these tables' load sections."""
    file = project / f"models/staging/{source}/_{source}__sources.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    entries = [
        {
            "name": name,
            "config": {"meta": {"load": section}},
            "columns": [
                {"name": column, "data_type": kind} for column, kind in (columns or COLUMNS).items()
            ],
        }
        for name, section in tables.items()
    ]
    file.write_text(yaml.safe_dump({"sources": [{"name": source, "tables": entries}]}))
    return file


def contract_of(
    project: Path, section: dict[str, Any], columns: dict[str, str] | None = None, **changes: Any
) -> Contract:
    """Return the contract `lab.measurements` or `lab.experiments` with some fields changed."""
    table = str(section["path"]).split("/")[1]
    write_sources(project, {table: {**section, **changes}}, columns)
    return load_contracts(project)[0]


@dataclass
class Lab:
    """One warehouse and one bucket, and short ways to use them."""

    connection: dict[str, Any] = field(repr=False)
    client: Any
    bucket: str
    schemas: Schemas = field(default_factory=Schemas)
    limits: BatchLimits = PostgresWarehouse.limits
    root: str = ""

    @property
    def staging(self) -> Staging:
        """The bucket as the loader sees it."""
        return Staging(self.client, self.bucket, self.root)

    def connect(self) -> PostgresWarehouse:
        """Open a connection; who calls it closes it."""
        warehouse = PostgresWarehouse(self.connection, self.schemas)
        warehouse.limits = self.limits
        return warehouse

    def setup(self, *contracts: Contract) -> list[str]:
        """Set up the ledger and the raw tables."""
        warehouse = self.connect()
        try:
            return setup(warehouse, contracts)
        finally:
            warehouse.close()

    def put(self, key: str, body: str | bytes) -> None:
        """Stage an object."""
        data = body.encode() if isinstance(body, str) else body
        self.client.put_object(Bucket=self.bucket, Key=self.root + key, Body=data)

    def delete(self, key: str) -> None:
        """Delete an object."""
        self.client.delete_object(Bucket=self.bucket, Key=self.root + key)

    def load(self, *contracts: Contract, **options: Any) -> LoadResult:
        """Run the loader once."""
        return load(contracts, self.connect, self.staging, backoff=QUICK, **options)

    def fetch(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        warehouse = self.connect()
        try:
            return warehouse.fetch(sql, parameters)
        finally:
            warehouse.close()

    def live_ids(self, table: str = "measurements") -> list[str]:
        """Return the ids of all rows that count, sorted, duplicates kept."""
        return sorted(
            row[0]
            for row in self.fetch(
                f"select id from raw_lab.{table} where _batch_id not in "
                "(select batch_id from ledger.events where event = 'superseded')"
            )
        )

    def files(self) -> list[tuple[Any, ...]]:
        """(file name, generation, status, reason) of the whole ledger."""
        return [
            (key.rpartition("/")[2], generation, status, reason)
            for key, generation, status, reason in self.fetch(
                "select object_key, generation, status, reason from ledger.files "
                "order by object_key, generation"
            )
        ]


def rows(*ids: str, value: str = "1") -> str:
    """Return a file's text with a row for each id."""
    return "\n".join([HEADER, *(f"{i},{value},2013-01-01T00:00:00Z" for i in ids)]) + "\n"


def export(day: int, name: str = "part-0.csv") -> str:
    """Return the key of a file of the export of that day of January 2013."""
    return f"lab/experiments/exported_at=201301{day:02d}T000000Z/{name}"
