"""The same histories on Redshift's stand-in, loaded by COPY and built by dbt-redshift."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from loaders.dbt_runner import Dbt
from loaders.embedded.object_store import ObjectStore
from loaders.project import Project
from loaders.warehouse.setup import setup
from tests.project.arrivals import SOURCES, Source, arrivals
from tests.project.desk import ROOT, UNTESTED
from tests.project.events import History
from tests.project.grounds import (
    PLAY,
    SAME,
    SOAK,
    Ground,
    check_what_dbt_sends,
    clear,
    without_builds,
)
from tests.project.histories import (
    A_BIT_OF_ALL,
    histories,
    research_histories,
    sales_histories,
)
from tests.project.replay import ReplayedDbt
from tests.standin.server import Settings, StandIn


@pytest.fixture(scope="module")
def redshift_ground(
    dbt_environment: Path,
    object_store: ObjectStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ground]:
    """Give a stand-in of its own, whose database is replaced, built by dbt from nothing."""
    place = tmp_path_factory.mktemp("histories-redshift")
    endpoint = object_store.environment()["AWS_ENDPOINT_URL_S3"]
    standin = StandIn(place / "standin", settings=Settings(s3_endpoint=endpoint))
    standin.start()
    standin.admin(
        f"alter role {standin.user} set standin.enable_case_sensitive_super_attribute to true"
    )  # who builds is a member of no role
    output = {
        "type": "redshift",
        "host": standin.host,
        "port": standin.port,
        "user": standin.user,
        "password": standin.password,
        "dbname": standin.database,
        "schema": "research_warehouse",
        "sslmode": "verify-full",
        "threads": 2,
        "retries": 0,
    }
    profile = {"research_warehouse": {"target": "redshift", "outputs": {"redshift": output}}}
    (place / "profiles.yml").write_text(yaml.safe_dump(profile))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(standin.ca_file))
        patch.setenv("DBT_TARGET_PATH", str(place / "target"))
        patch.setenv("DBT_LOG_PATH", str(place / "logs"))
        project = Project.open(ROOT, "redshift", place)
        with project.warehouse() as warehouse:
            setup(warehouse, project.contracts)
        dbt = Dbt(project.settings, quiet=True)
        dbt.invoke("build", *UNTESTED)
        standin.copy_database(standin.database, "built_from_nothing")

        def reset() -> None:
            clear(project.staging)
            standin.copy_database("built_from_nothing", standin.database)

        def connect() -> object:
            connection = standin.connect()
            connection.autocommit = True  # as dbt-redshift does, whose BEGINs are recorded
            return connection

        replayed = ReplayedDbt(project.settings, connect)
        with Ground("Redshift", project, dbt, replayed, reset).reported() as ground:
            yield ground
        clear(project.staging)
    standin.stop()


@pytest.mark.ci
def test_a_short_history(redshift_ground: Ground) -> None:
    """A build here takes many times as long as on PostgreSQL."""
    redshift_ground.build(without_builds(A_BIT_OF_ALL))


@pytest.mark.ci
def test_what_dbt_sends_does_not_depend_on_the_data(redshift_ground: Ground) -> None:
    check_what_dbt_sends(redshift_ground)


@pytest.mark.ci
def test_one_history_of_all(redshift_ground: Ground) -> None:
    assert redshift_ground.build(A_BIT_OF_ALL) == redshift_ground.replay(A_BIT_OF_ALL)


@pytest.mark.ci
@settings(SAME, max_examples=16)
@given(history=research_histories)
def test_histories_of_research(redshift_ground: Ground, history: History) -> None:
    assert redshift_ground.build(history) == redshift_ground.replay(history)


@pytest.mark.ci
@pytest.mark.xdist_group("histories of sales on redshift")  # beside the others: they take longest
@settings(SAME, max_examples=9)
@given(history=sales_histories)
def test_histories_of_sales(redshift_ground: Ground, history: History) -> None:
    assert redshift_ground.build(history) == redshift_ground.replay(history)


@pytest.mark.ci
@settings(SAME, max_examples=60)
@given(history=histories)
def test_replayed_histories(redshift_ground: Ground, history: History) -> None:
    redshift_ground.replay(history)


@pytest.mark.ci
@pytest.mark.parametrize("source", SOURCES, ids=str)
@settings(SAME, max_examples=3)
@given(data=st.data())
def test_arrivals(redshift_ground: Ground, source: Source, data: st.DataObject) -> None:
    """The first is built by dbt."""
    redshift_ground.play(source, data.draw(arrivals(source)))


@pytest.mark.slow
@settings(PLAY, max_examples=SOAK // 4)
@given(history=histories)
def test_many_replayed_histories(redshift_ground: Ground, history: History) -> None:
    redshift_ground.replay(history)
