"""A build applies a set of batches: none lost, none twice, whatever commits or dies around it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from loaders.errors import BuildFailed
from tests.project.desk import Desk

FACTS_AND_DAYS = ("--select", "source:research_db+,+daily_measurement_summary")
FACTS = "select measurement_id, temperature::float from fact_measurements order by 1"
DAYS = (
    "select measured_date::text, temperature_sum::float from daily_measurement_summary order by 1"
)


@pytest.fixture
def empty(fresh: Callable[..., Desk]) -> Desk:
    """Give a warehouse where a build is one of the facts and their days."""
    return fresh(FACTS_AND_DAYS)


@contextmanager
def connection(desk: Desk) -> Iterator[psycopg.Connection]:
    """Open a connection of our own, for what the product would not do."""
    with psycopg.connect(**desk.project.settings.connection) as opened:
        yield opened


def insert_batch(opened: psycopg.Connection, batch: int, measurement_id: str) -> None:
    """Write a batch of one row, as a loader would, and leave the transaction open."""
    opened.execute("select set_config('warehouse.batch_id', %s, true)", (str(batch),))
    opened.execute(
        "insert into raw_research_db.measurements (measurement_id, experiment_id, measured_at, "
        "temperature, temperature_unit, updated_at) values (%s, 'e1', '2020-06-01T00:00:00Z', "
        "'20', 'degC', '2020-06-01T00:00:00Z')",
        (measurement_id,),
    )
    opened.execute(
        "insert into ledger.batches (batch_id, source_table, mode, files, rows_loaded, "
        "rows_rejected, bytes, loaded_at, run_id) values (%s, 'research_db.measurements', "
        "'append', 1, 1, 0, 1, now() at time zone 'utc', 'test')",
        (batch,),
    )
    opened.execute(
        "insert into ledger.events (event_id, batch_id, source_table, event, recorded_at) values "
        "(nextval('ledger.event_id'), %s, 'research_db.measurements', 'loaded', "
        "now() at time zone 'utc')",
        (batch,),
    )


def test_batches_that_commit_out_of_order_are_all_applied(empty: Desk) -> None:
    with connection(empty) as early, connection(empty) as late:
        insert_batch(early, 1, "early")
        insert_batch(late, 2, "late")
        late.commit()
        empty.build()
        assert [row[0] for row in empty.rows(FACTS)] == ["late"]
        early.commit()
        empty.build()
        assert [row[0] for row in empty.rows(FACTS)] == ["early", "late"]


def test_a_batch_that_commits_during_a_build_belongs_to_the_next(empty: Desk) -> None:
    empty.build()
    empty.put_measurements("one", {})
    empty.load()
    with connection(empty) as holder, connection(empty) as other:
        # The root claims its events, then waits here to delete what they touch.
        holder.execute(
            "lock table intermediate.int_measurements__normalized in access exclusive mode"
        )
        outcome: list[object] = []
        builder = threading.Thread(target=lambda: outcome.append(empty.build()))
        builder.start()
        wait_for_lock(empty)
        insert_batch(other, 1000, "meanwhile")
        other.commit()
        holder.rollback()
        builder.join()
    assert outcome, "the build failed"
    assert [row[0] for row in empty.rows(FACTS)] == ["m1"]
    assert empty.rows(DAYS) == [("2020-06-01", 20.0)]
    empty.build()
    assert [row[0] for row in empty.rows(FACTS)] == ["m1", "meanwhile"]
    assert empty.rows(DAYS) == [("2020-06-01", 40.0)]


def wait_for_lock(desk: Desk) -> None:
    """Return when some session of dbt waits for a lock."""
    waiting = (
        "select count(*) from pg_stat_activity where application_name = 'dbt' "
        "and wait_event_type = 'Lock' and datname = current_database()"
    )
    for _ in range(600):
        if desk.rows(waiting) != [(0,)]:
            return
        threading.Event().wait(0.1)
    pytest.fail("the build never came to the lock")


def test_a_second_build_says_who_holds_the_first(empty: Desk) -> None:
    with psycopg.connect(**empty.project.settings.connection, application_name="dbt") as builder:
        builder.execute(
            "insert into ledger.builds (invocation_id, started_at, db_user) values "
            "('first', '2020-01-01', 'somebody')"
        )
        builder.commit()
        with pytest.raises(BuildFailed, match=r"first of user somebody, since 2020-01-01"):
            empty.build()
    # Its session is gone now: the first one is dead, and the next takes over.
    empty.build()
    assert empty.rows("select outcome from ledger.builds where invocation_id = 'first'") == [
        ("abandoned",)
    ]


def test_a_model_that_fails_leaves_its_work_to_the_next_build(empty: Desk) -> None:
    empty.put_measurements("one", {})
    empty.refresh()
    empty.put_measurements("two", {"measurement_id": "m2"})
    empty.load()
    empty.execute(
        "alter table fact_measurements add constraint no check (measurement_id <> 'm2')".replace(
            "table fact", "table research_warehouse.fact"
        )
    )
    with pytest.raises(BuildFailed, match="fact_measurements"):
        empty.build()
    assert [row[0] for row in empty.rows(FACTS)] == ["m1"]
    empty.execute("alter table research_warehouse.fact_measurements drop constraint no")
    empty.build()
    assert [row[0] for row in empty.rows(FACTS)] == ["m1", "m2"]


@pytest.mark.parametrize(
    ("macro", "said"),
    [
        ("claim_events(source_tables=['sales.sale'])", "no source table 'sales.sale'"),
        ("claim_events(follows='fact_measurement')", "no model 'fact_measurement'"),
        ("lagging_events('fact_measurements', 'x')", "no model 'x'"),
        ("unapplied_exports('snap_x')", "'snap_x' is not in snapshot_sources"),
    ],
)
def test_a_misspelt_name_is_refused(empty: Desk, macro: str, said: str) -> None:
    """It would stand for no events, and a model without new events is no error."""
    with pytest.raises(BuildFailed, match=said):
        empty.dbt.query(f"{{{{ {macro} }}}}")


def test_incremental_builds_equal_a_full_refresh(demo: Desk) -> None:
    june = {"experiment_id": "exp-ewr", "location_id": "EWR", "measured_at": "2013-06-01T00:00:00Z"}
    newer = {"updated_at": "2014-01-01T00:00:00Z"}
    known = "EWR-2013-06-10T00:00:00Z"
    # A late row, a repeated one, an invalid one, and one whose correction is invalid.
    demo.put_measurements(
        "late-1",
        june | {"measurement_id": "late"},
        june | {"measurement_id": "late"},
        june | {"measurement_id": "hot", "temperature": "101"},
        june | newer | {"measurement_id": "EWR-2013-06-11T00:00:00Z", "temperature": "x"},
    )
    demo.refresh()
    # A correction that moves a measurement to another day, month and experiment.
    demo.put_measurements(
        "late-2",
        june | newer | {"measurement_id": known, "measured_at": "2013-09-01T00:00:00Z"},
        june | newer | {"measurement_id": "late", "experiment_id": "exp-jfk"},
        {"measurement_id": "no time", "measured_at": ""},
        {"measurement_id": "", "temperature": "1"},
    )
    demo.put_experiments("20130701", {"experiment_id": "exp-ewr", "experiment_name": "Back-dated"})
    demo.refresh()
    demo.test()  # dbt's tests must hold after such a history
    assert demo.rows(
        f"select measured_at::text from fact_measurements where measurement_id = '{known}'"
    ) == [("2013-09-01 00:00:00",)]
    incremental = demo.marts()
    demo.build("--full-refresh")
    refreshed = demo.marts()
    for name, rows in incremental.items():
        assert rows == refreshed[name], name
    reasons = dict(
        demo.rows("select measurement_id, quarantine_reasons from quarantined_measurements")
    )
    assert reasons["hot"] == "temperature_out_of_range"
    assert reasons["EWR-2013-06-11T00:00:00Z"] == "invalid_temperature"
    assert reasons["no time"] == "missing_measured_at"
    assert reasons[None] == "missing_measurement_id"
