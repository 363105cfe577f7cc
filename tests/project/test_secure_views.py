"""The secure_* views, as two researchers see them: their own experiments and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.project.sites import Site

MEASUREMENTS = "research_warehouse.secure_measurements"
EXPERIMENTS = "research_warehouse.secure_experiments"
ALL_MEASUREMENTS = """
    select f.measurement_id, f.experiment_id, e.experiment_name, l.location_name, f.measured_at,
        f.temperature, f.pressure, f.humidity
    from research_warehouse.fact_measurements f
    join research_warehouse.dim_experiments e on e.experiment_key = f.experiment_key
    join research_warehouse.dim_locations l on l.location_key = f.location_key
"""
SEEN = (
    "select measurement_id, experiment_id, experiment_name, location_name, measured_at, "
    f"temperature, pressure, humidity from {MEASUREMENTS}"
)


@contextmanager
def access(site: Site, *rows: tuple[str, str]) -> Iterator[None]:
    """Let users see experiments for the block, as an administrator does it."""
    values = ", ".join(f"('{user}', '{experiment}')" for user, experiment in rows)
    try:
        site.people.rows(
            "the_admin",
            f"insert into access.experiment_access (user_name, experiment_id) values {values}",
        )
        yield
    finally:
        site.people.rows("the_admin", "delete from access.experiment_access where 1 = 1")


def measurements_of(site: Site, *experiments: str) -> list[tuple[Any, ...]]:
    """Return, from the marts, what someone who may see these experiments should see."""
    rows = site.people.rows("the_reader", ALL_MEASUREMENTS)
    return sorted((row for row in rows if row[1] in experiments), key=repr)


def seen_by(site: Site, user: str) -> list[tuple[Any, ...]]:
    """Return the measurements that a user sees."""
    return sorted(site.people.rows(user, SEEN), key=repr)


def experiments_of(site: Site, user: str) -> set[str]:
    """Return the experiments that a user sees."""
    return {name for (name,) in site.people.rows(user, f"select experiment_id from {EXPERIMENTS}")}


def assert_each_sees_their_own(site: Site) -> None:
    with access(site, ("ada", "exp-jfk"), ("bob", "exp-ewr"), ("bob", "exp-lga")):
        assert len(measurements_of(site, "exp-jfk")) > 100
        assert seen_by(site, "ada") == measurements_of(site, "exp-jfk")
        assert seen_by(site, "bob") == measurements_of(site, "exp-ewr", "exp-lga")
        assert experiments_of(site, "ada") == {"exp-jfk"}
        assert experiments_of(site, "bob") == {"exp-ewr", "exp-lga"}
        site.people.denied("ada", "select * from research_warehouse.fact_measurements")
    assert_nobody_sees_anything(site)


def assert_nobody_sees_anything(site: Site) -> None:
    for user in ("ada", "bob", "the_reader", "the_builder", "the_admin"):
        assert seen_by(site, user) == []
        assert experiments_of(site, user) == set()


def test_without_access_nobody_sees_anything(site: Site) -> None:
    assert_nobody_sees_anything(site)


def test_each_researcher_sees_their_own_experiments(site: Site) -> None:
    assert_each_sees_their_own(site)


def test_a_row_said_twice_shows_no_measurement_twice(site: Site) -> None:
    with access(site, ("ada", "exp-jfk"), ("ada", "exp-jfk"), ("bob", "exp-jfk")):
        assert seen_by(site, "ada") == measurements_of(site, "exp-jfk") == seen_by(site, "bob")


def test_a_name_must_be_the_user_s_whole_name(site: Site) -> None:
    with access(site, ("ad", "exp-jfk"), ("ada ", "exp-jfk"), ("ADA", "exp-jfk"), ("%", "exp-jfk")):
        assert experiments_of(site, "ada") == set()


@pytest.mark.parametrize("user", ["ada", "bob"])
def test_what_lies_behind_the_views_is_closed(site: Site, user: str) -> None:
    site.people.denied(
        user,
        "select * from research_warehouse.fact_measurements",
        "select * from research_warehouse.dim_experiments",
        "select * from research_warehouse.quarantined_measurements",
        "select * from research_warehouse.daily_measurement_summary",
        "select * from research_warehouse.monthly_temperature_summary",
        "select * from access.experiment_access",
        f"insert into access.experiment_access values ('{user}', 'exp-jfk')",
        "select * from raw_research_db.measurements",
        "select * from staging.stg_research_db__measurements",
        "select * from ledger.rejected_rows",
        "create table research_warehouse.mine (a int)",
    )


def test_the_same_after_the_marts_were_made_anew(site: Site) -> None:
    site.rebuild()
    assert_each_sees_their_own(site)
    assert site.people.rows("the_reader", "select 1 from research_warehouse.dim_date limit 1")


@pytest.mark.xdist_group("people")
def test_taking_a_role_changes_nothing_of_who_one_is(postgres_site: Site) -> None:
    """PostgreSQL only: Redshift has no SET ROLE."""
    site = postgres_site
    site.people.denied("ada", "set role research_readers", "set session authorization bob")
    with access(site, ("ada", "exp-jfk")):
        connection: psycopg.Connection[tuple[Any, ...]] = site.people.connect("ada")
        with connection:
            connection.execute("set role research_restricted")
            assert connection.execute("select current_user").fetchone() == ("research_restricted",)
            assert connection.execute(f"select distinct experiment_id from {MEASUREMENTS}"
                                      ).fetchall() == [("exp-jfk",)]  # fmt: skip


@pytest.mark.xdist_group("people")
def test_a_function_that_tells_what_it_sees_sees_no_hidden_row(postgres_site: Site) -> None:
    """PostgreSQL only: without the barrier, a cheap function would be asked before the view."""
    told: list[str] = []
    with access(postgres_site, ("ada", "exp-jfk")):
        connection: psycopg.Connection[Any] = postgres_site.people.connect("ada")
        connection.add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
        with connection:
            connection.execute(
                "create function pg_temp.tell(text) returns boolean language plpgsql cost 0.0001 "
                "as $$ begin raise notice '%', $1; return true; end $$"
            )
            for view in (MEASUREMENTS, EXPERIMENTS):
                connection.execute(f"select * from {view} where pg_temp.tell(experiment_id)")
    assert set(told) == {"exp-jfk"}
