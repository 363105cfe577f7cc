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
from hypothesis import strategies as st

from loaders.embedded.postgres import EmbeddedPostgres
from tests.project.arrivals import SOURCES, Source, arrivals
from tests.project.conftest import DATABASE, _replace_database
from tests.project.desk import ROOT, Desk
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
from tests.project.histories import A_BIT_OF_ALL, histories
from tests.project.measurement_oracle import Accepted, calendar, expect
from tests.project.player import ELSEWHERE, SNAPSHOTS
from tests.project.replay import ReplayedDbt
from tests.project.sales_oracle import expect_sales


@pytest.fixture(scope="module")
def postgres_ground(
    postgres: EmbeddedPostgres,
    dbt_environment: Path,
    built_from_nothing: str,
) -> Iterator[Ground]:
    """Give PostgreSQL, built by dbt from nothing."""
    desk = Desk.open(ROOT, dbt_environment)

    def reset() -> None:
        clear(desk.project.staging)
        _replace_database(postgres, DATABASE, built_from_nothing)

    replayed = ReplayedDbt(
        desk.project.settings,
        # As dbt connects. psycopg2 begins once: what follows a COMMIT commits by itself.
        lambda: psycopg2.connect(**desk.project.settings.connection),
    )
    with Ground("PostgreSQL", desk.project, desk.dbt, replayed, reset).reported() as it:
        yield it
    desk.clear_bucket()


@pytest.mark.ci
def test_a_short_history(postgres_ground: Ground) -> None:
    postgres_ground.build(without_builds(A_BIT_OF_ALL))


@pytest.mark.ci
def test_one_history_of_all(postgres_ground: Ground) -> None:
    assert postgres_ground.build(A_BIT_OF_ALL) == postgres_ground.replay(A_BIT_OF_ALL)


def test_the_oracle_knows_every_mart(postgres_ground: Ground) -> None:
    """The calendar's rows, which no history changes, and no table that nobody expects."""
    postgres_ground.reset()
    with postgres_ground.project.warehouse() as warehouse:
        tables = warehouse.fetch(
            "select relname from pg_class where relnamespace = 'research_warehouse'::regnamespace "
            "and relkind in ('r', 'm')"
        )
        days = warehouse.fetch("select * from research_warehouse.dim_date")
    expected = expect(Accepted([], [], [], [])) | expect_sales(())
    marts = ROOT / "models/marts"
    elsewhere = {file.stem for subject in ELSEWHERE for file in (marts / subject).glob("*.sql")}
    # For test_observability.py.
    elsewhere |= {"measurement_distributions", "daily_fact_counts", "data_quality_daily"}
    assert {name for (name,) in tables} - {"dim_date"} - elsewhere == set(expected) - {
        *SNAPSHOTS,
        "balance",
    }
    assert set(days) == set(calendar())


@pytest.mark.ci
def test_what_dbt_sends_does_not_depend_on_the_data(postgres_ground: Ground) -> None:
    check_what_dbt_sends(postgres_ground)


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


@pytest.mark.ci
@pytest.mark.parametrize("source", SOURCES, ids=str)
@settings(SAME, max_examples=8)
@given(data=st.data())
def test_arrivals(postgres_ground: Ground, source: Source, data: st.DataObject) -> None:
    """The first is built by dbt."""
    postgres_ground.play(source, data.draw(arrivals(source)))


@pytest.mark.slow
@settings(PLAY, max_examples=SOAK)
@given(history=histories)
def test_many_replayed_histories(postgres_ground: Ground, history: History) -> None:
    postgres_ground.replay(history)
