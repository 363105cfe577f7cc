"""One set of staged objects in both warehouses: PostgreSQL, and dbt-redshift on the stand-in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from loaders.dbt_runner import Dbt
from loaders.demo.nycflights13 import StagedObject
from loaders.embedded.postgres import EmbeddedPostgres
from loaders.load_run import LoadResult, load
from loaders.nightly import replay_exports
from loaders.project import Project
from loaders.staging.objects import Staging
from loaders.warehouse.roles import set_up_roles
from loaders.warehouse.setup import setup
from tests.project import awkward_objects
from tests.project.conftest import DATABASE, _replace_database
from tests.project.desk import ROOT, UNTESTED, Desk, select_data
from tests.project.people import PASSWORD, ROLE_OF
from tests.standin.driver import rows
from tests.standin.server import StandIn

Marts = dict[str, Counter[tuple[str, ...]]]
SCHEMAS = (
    "ledger", "staging", "intermediate", "snapshots", "seeds", "access", "research_warehouse",
)  # fmt: skip


@dataclass
class RedshiftDesk:
    """The project on the stand-in, with the real drivers: loader and dbt as their roles only."""

    standin: StandIn
    place: Path
    dbt: Dbt = field(init=False)
    owner: Project = field(init=False)
    loader: Project = field(init=False)

    def __post_init__(self) -> None:
        self.owner = Project.open(ROOT, "redshift_setup", self.place)
        self.loader = Project.open(ROOT, "redshift_load", self.place)
        self.dbt = Dbt(Project.open(ROOT, "redshift", self.place).settings, quiet=True)
        raw = {f"raw_{contract.source}" for contract in self.owner.contracts}
        for schema in (*SCHEMAS, *raw):  # other tests share the stand-in
            self.standin.admin(f"drop schema if exists {schema} cascade")
        with self.owner.warehouse() as warehouse:
            setup(warehouse, self.owner.contracts)
            assert set_up_roles(warehouse, self.owner.contracts) == []
            for user, role in ROLE_OF.items():
                warehouse.execute(f"create user {user} password '{PASSWORD}'")
                warehouse.execute(f"grant role {role} to {user}")
            # Once more: it sets what the sessions of dbt's users need.
            assert set_up_roles(warehouse, self.owner.contracts) == []

    def invoke(self, command: str, *arguments: str) -> None:
        """Run a dbt command. Raises BuildFailed."""
        with self.environment():
            self.dbt.invoke(command, *arguments)

    def run(self, *arguments: str) -> None:
        """Replay the waiting exports and build, as `warehouse run` does after loading."""
        with self.environment():
            replay_exports(self.dbt)
            self.dbt.invoke("build", *arguments)

    @contextmanager
    def environment(self) -> Iterator[None]:
        """Have dbt leave its files with this target, for the block."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DBT_TARGET_PATH", str(self.place / "target"))
            patch.setenv("DBT_LOG_PATH", str(self.place / "logs"))
            patch.setenv("DBT_WRITE_JSON", "true")
            patch.setenv("DBT_LOG_LEVEL_FILE", "debug")  # what is sent stands there
            patch.setenv("DBT_LOG_FILE_MAX_BYTES", "0")  # in one file
            yield

    @property
    def log(self) -> str:
        """What dbt has sent, among other things."""
        return (self.place / "logs" / "dbt.log").read_text()

    def rows(self, sql: str) -> list[list[object]]:
        """Return the rows of a query through the real driver."""
        with self.standin.connect() as connection:
            return rows(connection, sql)

    def load(self, staging: Staging) -> LoadResult:
        """Load what is staged for the PostgreSQL project, by COPY."""
        with pytest.MonkeyPatch.context() as patch:
            endpoint = staging.client.meta.endpoint_url
            patch.setattr(self.standin.settings, "s3_endpoint", endpoint)
            return load(self.loader.contracts, self.loader.connect, staging)


@dataclass(frozen=True)
class Both:
    """The marts after each step: the first objects, then the later ones."""

    postgres: list[Marts]
    redshift: list[Marts]
    desk: RedshiftDesk
    staging: Staging
    columns: dict[str, str]

    def now(self) -> Marts:
        """Return the marts on Redshift as they are now."""
        return read_marts(self.desk.rows, self.columns)


@pytest.fixture(scope="session")
def redshift_profile(standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a profile whose target `redshift` is the stand-in; give its directory."""
    place = tmp_path_factory.mktemp("dbt-redshift")
    output = {
        "type": "redshift",
        "host": standin.host,
        "port": standin.port,
        "dbname": standin.database,
        "schema": "research_warehouse",
        "sslmode": "verify-full",
        "threads": 2,
        "retries": 0,
    }
    outputs = {
        "redshift_setup": output | {"user": standin.user, "password": standin.password},
        "redshift_load": output | {"user": "the_loader", "password": PASSWORD},
        "redshift": output | {"user": "the_builder", "password": PASSWORD},
    }
    profile = {"research_warehouse": {"target": "redshift", "outputs": outputs}}
    (place / "profiles.yml").write_text(yaml.safe_dump(profile))
    return place


@pytest.fixture(scope="session")
def both(
    postgres: EmbeddedPostgres, dbt_environment: Path, standin: StandIn, redshift_profile: Path
) -> Both:
    """Load and build the same objects in both, in two steps, without dbt's tests."""
    _replace_database(postgres, DATABASE, "template1")
    source = Desk.open(ROOT, dbt_environment)
    target = RedshiftDesk(standin, redshift_profile)
    with source.project.warehouse() as warehouse:
        setup(warehouse, source.project.contracts)
    seen = Both([], [], target, source.project.staging, {})
    for objects in (awkward_objects.first(), awkward_objects.later()):
        _stage(source, objects)
        source.refresh()
        seen.columns.update(_columns(source))
        seen.postgres.append(read_marts(source.rows, seen.columns))
        assert target.load(seen.staging).exit_code == 0
        target.run(*UNTESTED)
        seen.redshift.append(seen.now())
    source.clear_bucket()
    return seen


def _stage(desk: Desk, objects: Iterable[StagedObject]) -> None:
    for item in objects:
        desk.put(item.key, item.body)


def _columns(desk: Desk) -> dict[str, str]:
    """Return each mart's columns, those that begin with `_` left out."""
    found = desk.rows(
        "select c.relname, string_agg(a.attname, ', ' order by a.attnum) from pg_class c "
        "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
        "where c.relnamespace = 'research_warehouse'::regnamespace and c.relkind in ('r', 'm') "
        "and left(a.attname, 1) <> '_' group by 1"
    )
    return dict(found)


def read_marts(
    query: Callable[[str], Iterable[Iterable[object]]], columns: dict[str, str]
) -> Marts:
    """Return each mart's rows with every value as Python writes it: scale and type show."""
    return {
        mart: Counter(tuple(map(repr, row)) for row in query(select_data(mart, names)))
        for mart, names in columns.items()
    }
