"""After any history of loads, corrections and builds the marts are those of a plain-Python oracle.

Exactly once, balance, order and grouping, full refresh and replayed versions (I1 to I5) all follow:
the oracle knows only the set of objects that count, and a full refresh ends every history.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from hypothesis import given, settings

from loaders.embedded.postgres import EmbeddedPostgres
from loaders.warehouse.setup import setup
from tests.project.conftest import DATABASE, _replace_database
from tests.project.desk import ROOT, Desk
from tests.project.grounds import BUILT_FROM_NOTHING, PLAY, SAME, SOAK, Ground
from tests.project.histories import History, histories
from tests.project.replay import ReplayedDbt


@pytest.fixture(scope="module")
def postgres_ground(
    postgres: EmbeddedPostgres, dbt_environment: Path, pytestconfig: pytest.Config
) -> Iterator[Ground]:
    """Give PostgreSQL, built by dbt from nothing."""
    _replace_database(postgres, DATABASE, "template1")
    desk = Desk.open(ROOT, dbt_environment)
    with desk.project.warehouse() as warehouse:
        setup(warehouse, desk.project.contracts)
    desk.build()
    _replace_database(postgres, BUILT_FROM_NOTHING, DATABASE)

    def reset() -> None:
        desk.clear_bucket()
        _replace_database(postgres, DATABASE, BUILT_FROM_NOTHING)

    replayed = ReplayedDbt(
        desk.project.settings,
        # As dbt connects. psycopg2 begins once: what follows a COMMIT commits by itself.
        lambda: psycopg2.connect(**desk.project.settings.connection),
    )
    with Ground("PostgreSQL", desk.project, desk.dbt, replayed, reset).reported(pytestconfig) as it:
        yield it
    desk.clear_bucket()


@settings(SAME, max_examples=2)
@given(history=histories)
def test_some_histories(postgres_ground: Ground, history: History) -> None:
    assert postgres_ground.build(history) == postgres_ground.replay(history)


@settings(SAME, max_examples=12)
@given(history=histories)
def test_some_replayed_histories(postgres_ground: Ground, history: History) -> None:
    postgres_ground.replay(history)


@pytest.mark.ci
@settings(SAME, max_examples=25)
@given(history=histories)
def test_histories(postgres_ground: Ground, history: History) -> None:
    assert postgres_ground.build(history) == postgres_ground.replay(history)


@pytest.mark.ci
@settings(SAME, max_examples=200)
@given(history=histories)
def test_replayed_histories(postgres_ground: Ground, history: History) -> None:
    postgres_ground.replay(history)


@pytest.mark.slow
@settings(PLAY, max_examples=SOAK)
@given(history=histories)
def test_many_replayed_histories(postgres_ground: Ground, history: History) -> None:
    postgres_ground.replay(history)
