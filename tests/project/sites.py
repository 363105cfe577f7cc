"""Both warehouses, set up, loaded and built by users who are only members of their roles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redshift_connector
import yaml

from loaders.embedded.postgres import EmbeddedPostgres
from loaders.load_run import LoadResult
from loaders.project import Project
from loaders.staging.objects import Staging
from loaders.warehouse.roles import set_up_roles
from loaders.warehouse.setup import setup
from tests.project import awkward_objects
from tests.project.both import Both
from tests.project.conftest import _replace_database
from tests.project.desk import ROOT, UNTESTED, Desk
from tests.project.people import PASSWORD, ROLE_OF, People
from tests.standin.server import StandIn

DATABASE = "people_tests"


@dataclass(frozen=True)
class Site:
    """A warehouse whose marts are built. `owner` has set it up; `loader` is the loader's user.

    `rebuild` makes the marts anew, or builds on after that, as dbt's user.
    """

    people: People
    owner: Project
    loader: Project
    load: Callable[[], LoadResult]
    staging: Staging
    rebuild: Callable[[], object]

    @contextmanager
    def staged(self, key: str, body: str) -> Iterator[None]:
        """Put an object where the loader looks, for the block."""
        place = {"Bucket": self.staging.bucket, "Key": key}
        self.staging.client.put_object(**place, Body=body.encode())
        try:
            yield
        finally:
            self.staging.client.delete_object(**place)


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("postgres", marks=pytest.mark.xdist_group("people")),
        pytest.param(
            "redshift", marks=[pytest.mark.ci, pytest.mark.xdist_group("both warehouses")]
        ),
    ],
)
def site(request: pytest.FixtureRequest) -> Site:
    """Give one warehouse after the other."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


@pytest.fixture(scope="session")
def postgres_site(
    postgres: EmbeddedPostgres, dbt_environment: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Set up, load and build on PostgreSQL."""
    _replace_database(postgres, DATABASE, "template1")
    place = tmp_path_factory.mktemp("people")
    profile = yaml.safe_load((dbt_environment / "profiles.yml").read_text())
    outputs = profile["research_warehouse"]["outputs"]
    outputs["test"]["dbname"] = DATABASE
    for user in ("the_loader", "the_builder"):
        outputs[user] = outputs["test"] | {"user": user, "password": PASSWORD}
    (place / "profiles.yml").write_text(yaml.safe_dump(profile))
    admin = Desk.open(ROOT, place)
    with admin.project.warehouse() as warehouse:
        setup(warehouse, admin.project.contracts)
        assert set_up_roles(warehouse, admin.project.contracts) == []
        for user, role in ROLE_OF.items():
            warehouse.execute(f"create role {user} login password '{PASSWORD}' in role {role}")
    loader = Desk.open(ROOT, place, "the_loader")
    builder = Desk.open(ROOT, place, "the_builder")
    for item in awkward_objects.first():
        loader.put(item.key, item.body)
    assert loader.load().exit_code == 0
    loader.clear_bucket()
    builder.refresh_marts()

    def connect(user: str) -> Any:
        return psycopg.connect(
            host=postgres.host, port=postgres.port, dbname=DATABASE, user=user, password=PASSWORD,
            autocommit=True,
        )  # fmt: skip

    yield Site(
        People(connect, lambda error: str(getattr(error, "sqlstate", ""))),
        admin.project,
        loader.project,
        loader.load,
        loader.project.staging,
        lambda: builder.build("--full-refresh"),
    )
    loader.clear_bucket()
    _replace_database(postgres, DATABASE, "template1")
    for user in ROLE_OF:  # roles are the server's, not the database's
        admin.execute(f"drop role {user}")


@pytest.fixture(scope="session")
def redshift_site(both: Both, standin: StandIn) -> Site:
    """Give the stand-in as the parity tests leave it: after a full refresh."""
    with both.desk.owner.warehouse() as warehouse:
        set_up_roles(warehouse, both.desk.owner.contracts)  # of a raw table that was made anew

    def connect(user: str) -> Any:
        connection = standin.connect(user=user, password=PASSWORD)
        connection.autocommit = True
        return connection

    def code(error: Exception) -> str:
        assert isinstance(error, redshift_connector.Error)
        return str(error.args[0]["C"])

    rebuild = ("build", *UNTESTED, "--select", "fact_measurements", "models/secure")
    desk, staging = both.desk, both.staging
    return Site(
        People(connect, code),
        desk.owner,
        desk.loader,
        lambda: desk.load(staging),
        staging,
        lambda: desk.invoke(*rebuild),
    )
