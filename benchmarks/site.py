"""A warehouse of its own in a temporary directory: servers, profile, project."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import yaml

from loaders.dbt_runner import Dbt
from loaders.embedded.background import write_private
from loaders.embedded.object_store import ObjectStore
from loaders.embedded.postgres import EmbeddedPostgres
from loaders.load_run import LoadResult, load
from loaders.project import Project
from loaders.warehouse.setup import setup

ROOT = Path(__file__).parents[1]
BUCKET = "benchmark"
# dbt's tests are compared with no peer's: peers test nothing.
UNTESTED = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")


@dataclass
class Site:
    """The servers, and the project of this repository on them."""

    folder: Path
    postgres: EmbeddedPostgres
    store: ObjectStore
    project: Project
    dbt: Dbt

    @property
    def connection(self) -> dict[str, Any]:
        """How psycopg and psql connect."""
        server = self.postgres
        return {
            "host": server.host,
            "port": server.port,
            "user": server.superuser,
            "password": server.password,
            "dbname": server.database,
        }

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection that commits by itself."""
        return psycopg.connect(**self.connection, autocommit=True)

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.connect() as connection:
            return connection.execute(sql).fetchall()

    def load(self, workers: int = 2) -> LoadResult:
        """Load what is staged."""
        project = self.project
        return load(project.contracts, project.connect, project.staging, workers=workers)

    def build(self, *arguments: str) -> None:
        """Run `dbt build` without its tests."""
        self.dbt.invoke("build", *UNTESTED, *arguments)


@contextmanager
def open_site() -> Iterator[Site]:
    """Start servers in a temporary directory, set the warehouse up; stop and delete them."""
    folder = Path(tempfile.mkdtemp(prefix="warehouse-benchmark-"))
    folder.chmod(0o755)  # the server's account must reach it
    postgres, store = EmbeddedPostgres(folder / "postgres"), ObjectStore(folder / "store")
    try:
        postgres.start()
        store.start()
        output = {
            "type": "postgres",
            "host": postgres.host,
            "port": postgres.port,
            "user": postgres.superuser,
            "password": postgres.password,
            "dbname": postgres.database,
            "schema": "research_warehouse",
            "threads": 2,
        }
        profile = {"research_warehouse": {"target": "bench", "outputs": {"bench": output}}}
        write_private(folder / "profiles.yml", yaml.safe_dump(profile))
        os.environ |= store.environment() | {
            "WAREHOUSE_STAGING": f"s3://{BUCKET}",
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        store.client().create_bucket(Bucket=BUCKET)
        project = Project.open(ROOT, "bench", folder)
        with project.warehouse() as warehouse:
            setup(warehouse, project.contracts)
        yield Site(folder, postgres, store, project, Dbt(project.settings, quiet=True))
    finally:
        store.stop()
        postgres.remove()
        shutil.rmtree(folder, ignore_errors=True)
