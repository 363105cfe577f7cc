"""Dimensions keep every version, facts carry the one of their time, whatever arrives when."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from loaders.dbt_runner import Dbt
from loaders.errors import BuildFailed
from loaders.nightly import run
from tests.project.desk import EXPERIMENT, UNTESTED, Desk

VERSIONS = (
    "select experiment_name, is_deleted, valid_from::text, valid_to::text from dim_experiments "
    "where experiment_id = 'e1' order by valid_from"
)
MIN, MAX = "0001-01-01 00:00:00", "9999-12-31 00:00:00"


@pytest.fixture
def empty(fresh: Callable[..., Desk]) -> Desk:
    """Give a warehouse where a build is one of the experiments' versions."""
    return fresh(("--select", "source:research_db+,+dim_experiments"))


def test_a_deletion_a_return_and_a_late_export_give_the_replayed_history(empty: Desk) -> None:
    other = {"experiment_id": "e2", "experiment_name": "Other"}
    empty.put_experiments("20200101", {}, other)
    empty.put_experiments("20200201", other)
    empty.put_experiments("20200301", {}, other)
    empty.refresh()
    assert empty.rows(VERSIONS) == [
        ("First", False, MIN, "2020-02-01 00:00:00"),
        ("First", True, "2020-02-01 00:00:00", "2020-03-01 00:00:00"),
        ("First", False, "2020-03-01 00:00:00", MAX),
    ]
    empty.put_experiments("20200215", {"experiment_name": "Renamed"}, other)
    empty.refresh()
    empty.test()  # one test replays raw in pure SQL and compares
    late = [
        ("First", False, MIN, "2020-02-01 00:00:00"),
        ("First", True, "2020-02-01 00:00:00", "2020-02-15 00:00:00"),
        ("Renamed", False, "2020-02-15 00:00:00", "2020-03-01 00:00:00"),
        ("First", False, "2020-03-01 00:00:00", MAX),
    ]
    assert empty.rows(VERSIONS) == late
    empty.build("--full-refresh")
    assert empty.rows(VERSIONS) == late


@pytest.mark.ci
def test_a_plain_build_applies_one_export_and_leaves_a_late_one_alone(empty: Desk) -> None:
    empty.put_experiments("20200101", {})
    empty.put_experiments("20200201", {"experiment_name": "Second"})
    empty.load()
    empty.build()
    assert empty.rows(VERSIONS) == [("First", False, MIN, MAX)]
    empty.build()
    both = [
        ("First", False, MIN, "2020-02-01 00:00:00"),
        ("Second", False, "2020-02-01 00:00:00", MAX),
    ]
    assert empty.rows(VERSIONS) == both
    empty.put_experiments("20200115", {"experiment_name": "Late"})
    empty.load()
    empty.build()
    assert empty.rows(VERSIONS) == both


def test_a_plain_build_says_how_many_exports_wait(
    empty: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    for month in ("01", "02", "03"):
        empty.put_experiments(f"2020{month}01", {"experiment_name": month})
    empty.load()
    Dbt(empty.project.settings).invoke("build", *UNTESTED, *empty.selection)
    assert "2 export(s) wait for snap_experiments: run `warehouse run`" in capsys.readouterr().out


def test_an_export_that_cannot_be_right_leaves_history_as_it_is(empty: Desk) -> None:
    ids = [{"experiment_id": f"e{n}"} for n in range(1, 5)]
    empty.put_experiments("20200101", *ids)
    empty.refresh()
    before = empty.rows("select * from dim_experiments order by experiment_key")
    empty.put_experiments("20200201")  # no rows
    empty.put_experiments("20200301", ids[1])  # cut short
    empty.put_experiments("20200401", *ids, {"experiment_id": "e1", "experiment_name": "Other"})
    empty.put(  # not complete: its marker is missing
        "research_db/experiments/exported_at=20200501T000000Z/part-0.csv",
        ",".join(EXPERIMENT) + "\n",
    )
    loaded = empty.refresh()
    assert sorted(file.reason for file in loaded.refused) == [
        "duplicate_key",
        "shrunk_export",
        "shrunk_export",
    ]
    assert [export.export_key for export in loaded.waiting] == [
        "research_db/experiments/exported_at=20200501T000000Z/"
    ]
    assert empty.rows("select * from dim_experiments order by experiment_key") == before


@pytest.mark.ci
def test_facts_carry_the_version_of_their_time_also_when_it_comes_after_them(
    fresh: Callable[..., Desk],
) -> None:
    empty = fresh()
    facts = (
        "select f.measurement_id, e.experiment_name, e.current_experiment_name "
        "from fact_measurements f join dim_experiments e using (experiment_key) order by 1"
    )
    empty.put_measurements(
        "all",
        {"measurement_id": "before", "measured_at": "2020-01-31T23:59:59Z"},
        {"measurement_id": "at", "measured_at": "2020-02-01T00:00:00Z"},
        {"measurement_id": "after", "measured_at": "2020-06-01T00:00:00Z"},
    )
    empty.refresh()
    assert {name for _, name, _ in empty.rows(facts)} == {"(unknown)"}
    empty.put_experiments("20200101", {})
    empty.refresh()
    assert [name for _, name, _ in empty.rows(facts)] == ["First", "First", "First"]
    empty.put_experiments("20200201", {"experiment_name": "Second"})
    empty.refresh()
    expected = [
        ("after", "Second", "Second"),
        ("at", "Second", "Second"),
        ("before", "First", "Second"),
    ]
    assert empty.rows(facts) == expected
    empty.put_experiments("20200115", {"experiment_name": "Between"})
    empty.refresh()
    assert empty.rows(facts) == [*expected[:2], ("before", "Between", "Second")]


@pytest.mark.ci
def test_an_export_that_was_replaced_is_replayed_as_it_is_now(empty: Desk) -> None:
    empty.put_experiments("20200101", {"experiment_name": "Wrong"})
    empty.put_experiments("20200201", {"experiment_name": "Second"})
    empty.refresh()
    empty.put_experiments("20200101", {"experiment_name": "Right"})
    empty.refresh()
    assert [name for name, *_ in empty.rows(VERSIONS)] == ["Right", "Second"]


@pytest.mark.ci
def test_a_full_refresh_makes_tables_of_an_older_version_anew(empty: Desk) -> None:
    """As an update of the project finds them: without a column that the models have by now."""
    empty.put_experiments("20200101", {"metadata": "{}"})
    empty.put_experiments("20200201", {"experiment_name": "Second", "metadata": "[]"})
    empty.refresh()
    dimension = "select * from dim_experiments order by experiment_key"
    before = empty.rows(dimension)
    for table in ("snapshots.snap_experiments", "research_warehouse.dim_experiments"):
        empty.execute(f"alter table {table} drop column metadata cascade")
    empty.execute("alter table seeds.valid_ranges drop column usual_minimum cascade")
    with pytest.raises(BuildFailed):
        empty.build()
    assert run(empty.project, quiet=True, full_refresh=True).build
    assert empty.rows(dimension) == before
    assert {name for name, *_ in empty.rows(VERSIONS)} == {"First", "Second"}


@pytest.mark.ci
def test_of_two_exports_as_of_one_time_the_key_that_sorts_last_counts(empty: Desk) -> None:
    empty.put_experiments("20200101", {"experiment_name": "First"})
    empty.refresh()
    # The same instant, written in another zone: another key, and it comes later but sorts first.
    folder = "research_db/experiments/exported_at=20191231T220000-0200/"
    first = "research_db/experiments/exported_at=20200101T000000Z/"
    body = empty.project.staging.client.get_object(
        Bucket=empty.project.settings.bucket, Key=first + "part-0.csv"
    )["Body"].read()
    empty.put(folder + "part-0.csv", body.replace(b"First", b"Outranked"))
    empty.put(folder + "_SUCCESS", "")
    empty.refresh()
    assert empty.rows(VERSIONS) == [("First", False, MIN, MAX)]
    waiting = empty.dbt.query("{{ waiting_exports() }}")
    assert waiting == []


def test_grants_and_the_monthly_view_survive_a_partial_build(demo: Desk) -> None:
    demo.execute("drop role if exists a_reader")
    demo.execute("create role a_reader")
    demo.execute("grant select on research_warehouse.dim_experiments to a_reader")
    demo.execute("create view public.mine as select * from research_warehouse.dim_experiments")
    demo.put_experiments(
        "20131101",
        {"experiment_id": "exp-ewr", "experiment_name": "Renamed"},
        {"experiment_id": "exp-jfk"},
        {"experiment_id": "exp-lga"},
    )
    demo.load()
    demo.build("--select", "+dim_experiments")
    renamed = "select count(*) from public.mine where experiment_name = 'Renamed' and is_current"
    assert demo.rows(renamed) == [(1,)]
    assert demo.rows(
        "select has_table_privilege('a_reader', 'research_warehouse.dim_experiments', 'select')"
    ) == [(True,)]
    assert demo.rows("select count(*) from monthly_temperature_summary") == [(36,)]
    demo.execute("drop view public.mine")
    demo.execute("revoke all on research_warehouse.dim_experiments from a_reader")
    demo.execute("drop role a_reader")
