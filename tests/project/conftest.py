"""A project whose warehouse holds the demo's data, fresh for every test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from loaders.demo.nycflights13 import exports
from loaders.embedded.object_store import ObjectStore
from loaders.embedded.postgres import EmbeddedPostgres
from loaders.warehouse.setup import setup
from tests.project.chromium import find_chromium
from tests.project.desk import CORE, ROOT, Desk

# One name for all: dbt parses the project anew when the profile's database changes.
DATABASE = "project_tests"


@pytest.fixture(scope="session")
def dbt_environment(
    postgres: EmbeddedPostgres, object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Point dbt and boto3 at the test servers; give the directory of the profile."""
    place = tmp_path_factory.mktemp("dbt")
    output: dict[str, Any] = {
        "type": "postgres",
        "host": postgres.host,
        "port": postgres.port,
        "user": postgres.superuser,
        "password": postgres.password,
        "dbname": DATABASE,
        "schema": "research_warehouse",
        "threads": 2,
    }
    profile = {"research_warehouse": {"target": "test", "outputs": {"test": output}}}
    (place / "profiles.yml").write_text(yaml.safe_dump(profile))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in object_store.environment().items():
            patch.setenv(name, value)
        patch.setenv("WAREHOUSE_STAGING", "s3://project-tests")
        patch.setenv("DBT_TARGET_PATH", str(place / "target"))
        patch.setenv("DBT_LOG_PATH", str(place / "logs"))
        patch.setenv("DBT_WRITE_JSON", "false")  # artifacts that no test reads, a tenth of the time
        object_store.client().create_bucket(Bucket="project-tests")
        yield place
    shutil.rmtree(place / "target", ignore_errors=True)


@pytest.fixture
def browser() -> str:
    """Give a Chromium; there are none in the package registry."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    return found


def _replace_database(postgres: EmbeddedPostgres, name: str, template: str) -> None:
    with psycopg.connect(
        host=postgres.host,
        port=postgres.port,
        user=postgres.superuser,
        password=postgres.password,
        dbname="postgres",
        autocommit=True,
    ) as connection:
        connection.execute(f"drop database if exists {name} with (force)")
        connection.execute(f"create database {name} template {template} strategy file_copy")


@pytest.fixture(scope="session")
def built_from_nothing(postgres: EmbeddedPostgres, dbt_environment: Path) -> str:
    """Build a warehouse without data once; give the database to make copies of."""
    _replace_database(postgres, DATABASE, "template1")
    desk = Desk.open(ROOT, dbt_environment)
    with desk.project.warehouse() as warehouse:
        setup(warehouse, desk.project.contracts)
    desk.build()
    _replace_database(postgres, "built_from_nothing", DATABASE)
    return "built_from_nothing"


@pytest.fixture
def fresh(
    postgres: EmbeddedPostgres, dbt_environment: Path, built_from_nothing: str
) -> Iterator[Callable[..., Desk]]:
    """Give a function that empties warehouse and bucket, for tests that play several histories."""
    desk = Desk.open(ROOT, dbt_environment)

    def begin(selection: tuple[str, ...] = CORE) -> Desk:
        desk.clear_bucket()
        _replace_database(postgres, DATABASE, built_from_nothing)
        return replace(desk, selection=selection)

    yield begin
    desk.clear_bucket()


@pytest.fixture
def empty(fresh: Callable[[], Desk]) -> Desk:
    """Give a warehouse that was built from nothing, and an empty bucket; builds are of CORE."""
    return fresh()


@pytest.fixture(scope="session")
def demo_template(
    postgres: EmbeddedPostgres, dbt_environment: Path, built_from_nothing: str
) -> str:
    """Load and build the demo's data once; give the database to make copies of."""
    _replace_database(postgres, DATABASE, built_from_nothing)
    desk = Desk.open(ROOT, dbt_environment, selection=CORE)
    desk.clear_bucket()  # tests that begin otherwise may have left objects
    for item in exports():
        desk.put(item.key, item.body)
    desk.refresh()
    _replace_database(postgres, "demo_template", DATABASE)
    desk.clear_bucket()
    return "demo_template"


@pytest.fixture
def demo(postgres: EmbeddedPostgres, dbt_environment: Path, demo_template: str) -> Iterator[Desk]:
    """Give a warehouse with the demo's weather, and its objects in the bucket."""
    _replace_database(postgres, DATABASE, demo_template)
    desk = Desk.open(ROOT, dbt_environment, selection=CORE)
    for item in exports():
        desk.put(item.key, item.body)
    yield desk
    desk.clear_bucket()
