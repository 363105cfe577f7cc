"""A warehouse on the stand-in for Redshift and a bucket, and short ways to use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from loading import QUICK

from loaders.contracts import Contract
from loaders.identifiers import Schemas
from loaders.load_run import LoadResult, load
from loaders.staging.objects import Staging
from loaders.warehouse.redshift import RedshiftWarehouse
from loaders.warehouse.setup import setup
from tests.standin.fixtures import Bucket
from tests.standin.server import StandIn


@dataclass
class RedshiftLab:
    """One prefix of schemas on the stand-in and one bucket."""

    standin: StandIn
    bucket: Bucket
    schemas: Schemas
    password: str | None = None  # another than the stand-in's

    @property
    def staging(self) -> Staging:
        """The bucket as the loader sees it."""
        return Staging(self.bucket.client, self.bucket.name)

    def connect(self) -> RedshiftWarehouse:
        """Open a connection; who calls it closes it."""
        connection = {
            "host": self.standin.host,
            "port": self.standin.port,
            "database": self.standin.database,
            "user": self.standin.user,
            "password": self.password or self.standin.password,
            "sslmode": "verify-full",
        }
        return RedshiftWarehouse(connection, self.schemas)

    def setup(self, *contracts: Contract) -> list[str]:
        """Set up the ledger and the raw tables."""
        warehouse = self.connect()
        try:
            return setup(warehouse, contracts)
        finally:
            warehouse.close()

    def load(self, *contracts: Contract, **options: Any) -> LoadResult:
        """Run the loader once."""
        return load(contracts, self.connect, self.staging, backoff=QUICK, **options)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        warehouse = self.connect()
        try:
            return warehouse.fetch(sql)
        finally:
            warehouse.close()

    def live_ids(self, table: str = "measurements") -> list[str]:
        """Return the ids of all rows that count, sorted, duplicates kept."""
        raw, events = self.schemas.raw("lab", table).sql, self.schemas.ledger("events").sql
        found = self.fetch(
            f"select id from {raw} where _batch_id not in "
            f"(select batch_id from {events} where event = 'superseded')"
        )
        return sorted(row[0] for row in found)
