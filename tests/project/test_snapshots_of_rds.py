"""The research database by both ways, CSV and snapshots' Parquet: one fact, one history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from loaders.load_run import make_plan
from tests.project import snapshot_objects
from tests.project.desk import Desk
from tests.project.dimension_oracle import Export, experiment_rows, history, location_rows
from tests.project.mart_checks import check
from tests.project.snapshot_objects import RECORDS

BUILD = ("--select", "+fact_measurements", "+quarantined_measurements")


def test_a_measurement_by_both_ways_is_one(empty: Desk) -> None:
    empty.put_measurements(
        "one",
        {"measurement_id": "w1", "updated_at": "2020-07-01T00:00:00Z", "temperature": "21"},
        {"measurement_id": "w2", "temperature": "22"},
        {"measurement_id": "w3"},
    )
    for item in snapshot_objects.first():
        empty.put(item.key, item.body)
    loaded = empty.load()
    assert loaded.exit_code == 0
    empty.build(*BUILD)
    empty.dbt.invoke(
        "test", "--select", "assert_no_measurement_is_lost",
        "assert_each_applied_batch_is_normalized_whole",
        "assert_every_quarantined_row_has_a_known_reason",
    )  # fmt: skip
    facts = empty.rows(
        "select measurement_id, source_system, measured_at, temperature, pressure, humidity "
        "from fact_measurements order by 1"
    )
    june, number = datetime(2020, 6, 1), Decimal
    assert facts == [
        ("p1", "research_db", datetime(2020, 6, 1, 17, 30, 0, 250_000), number(20), None, None),
        ("p4", "research_db", june, None, number("1013.25"), number(50)),
        ("w1", "research_db", june, number(21), None, None),
        ("w2", "research_db", june, number("20.25"), None, None),
        ("w3", "research_db", june, number(20), None, None),
    ]
    assert empty.rows(
        "select measurement_id, quarantine_reasons, source_temperature "
        "from quarantined_measurements order by 1 nulls last"
    ) == [
        ("p2", "invalid_measured_at", "20.0000"),
        ("p3", "temperature_out_of_range", "-12345678.9999"),
        ("p5", "unknown_temperature_unit", "20.0000"),
        ("p6", "missing_measured_at", "20.0000"),
        (None, "missing_measurement_id", "20.0000"),
    ]


def dimension(tables: dict[str, Sequence[Mapping[str, Any]]], at: str, key: str) -> Export:
    """Return an export's experiments for the oracle, which takes text."""
    ((table, rows),) = tables.items()
    full = [RECORDS[table] | row for row in rows]
    texts = [{n: "" if v is None else str(v) for n, v in row.items()} for row in full]
    return Export(datetime.fromisoformat(at), key, texts)


def test_versions_come_by_both_ways(empty: Desk) -> None:
    """Of CSV and Parquet as of one instant the key that sorts last counts: the snapshot's."""
    steps = {
        "20200101": ("csv", [{}, {"experiment_id": "e2"}]),
        "20200201": ("parquet", [{"experiment_name": "Renamed"}, {"experiment_id": "e2"}]),
        "20200301": ("both", [{"experiment_name": "Again"}, {"experiment_id": "e3"}]),
        "20200401": ("csv", [{"experiment_name": "Again"}, {"experiment_id": "e3"}]),
    }
    known = []
    for at in ("20200301", "20200101", "20200401", "20200201"):  # the middle ones come late
        way, rows = steps[at]
        if way != "parquet":
            other = [{"experiment_name": "Outranked"}] if way == "both" else rows
            csv = [{"metadata": '{""grant"": ""A-1""}'} | row for row in other]
            empty.put_experiments(at, *({n: f'"{v}"' for n, v in row.items()} for row in csv))
        if way != "csv":
            for item in snapshot_objects.snapshot(at, {"experiments": [rows[:1], rows[1:]]}):
                empty.put(item.key, item.body)
        known.append(dimension({"experiments": rows}, at, way))
        assert empty.refresh().exit_code == 0
    check(empty, {"dim_experiments": experiment_rows(history(known, "experiment_id"), [])})
    locations = [{"location_id": "l1"}, {"location_id": "l2", "latitude": Decimal("-0.000001")}]
    researchers = [{"researcher_name": "Curie"}]
    tables = {"locations": [locations], "researchers": [researchers]}
    for item in snapshot_objects.snapshot("20200501", tables):
        empty.put(item.key, item.body)
    assert empty.refresh().exit_code == 0
    placed = dimension({"locations": locations}, "20200501", "")
    named = dimension({"researchers": researchers}, "20200501", "")
    check(
        empty,
        {
            "dim_experiments": experiment_rows(history(known, "experiment_id"), [named]),
            "dim_locations": location_rows(history([placed], "location_id")),
        },
    )
    empty.test()


def test_a_snapshot_waits_until_rds_says_that_it_is_complete(empty: Desk) -> None:
    tables = {"experiments": [[{}]]}
    written = list(snapshot_objects.snapshot("20200101", tables))
    info = written.pop()
    failed = list(snapshot_objects.snapshot("20200101", tables, status="FAILED"))[-1]
    for item in written:
        empty.put(item.key, item.body)
    (waiting,) = empty.load().waiting
    assert waiting.missing == "export_info_*.json is not there"
    for body, why in (
        (failed.body, f"{info.key} says FAILED"),
        (b"[]", f"{info.key} is not a manifest: list indices must be integers or slices, not str"),
    ):
        empty.put(info.key, body)
        (waiting,) = empty.load().waiting
        assert waiting.missing == why
    assert empty.rows("select count(*) from raw_research_db.experiments_parquet") == [(0,)]
    empty.put(info.key, info.body)
    loaded = empty.load()
    assert (loaded.waiting, loaded.rows) == ((), 1)


def test_a_task_that_failed_and_was_started_again_is_another_export(empty: Desk) -> None:
    failed = [[{"experiment_id": "e1"}], [{"experiment_id": "e2"}]]
    for task, parts, status in (
        ("a", failed, "FAILED"),
        ("b", [[{"experiment_name": "Again"}]], "COMPLETE"),
        ("c", failed, "IN_PROGRESS"),
    ):
        for item in snapshot_objects.snapshot("20200101", {"experiments": parts}, status, task):
            empty.put(item.key, item.body)
    loaded = empty.load()
    assert loaded.rows == 1
    assert [waiting.missing.rpartition(" ")[2] for waiting in loaded.waiting] == [
        "FAILED", "IN_PROGRESS",
    ]  # fmt: skip
    assert empty.rows("select experiment_name from raw_research_db.experiments_parquet") == [
        ("Again",)
    ]
    with empty.project.warehouse() as warehouse:
        plan = make_plan(empty.project.contracts, warehouse, empty.project.staging)
    assert {key.rpartition("public.")[2] for key in plan.unclaimed} == {
        "rooms/1/part-00000.gz.parquet"
    }


def test_an_export_that_shrank_is_refused_whichever_way_it_comes(empty: Desk) -> None:
    empty.put_experiments("20200101", *({"experiment_id": f"e{n}"} for n in range(5)))
    assert empty.load().rows == 5
    for item in snapshot_objects.snapshot("20200201", {"experiments": [[{}]]}):
        empty.put(item.key, item.body)
    assert [file.reason for file in empty.load().refused] == ["shrunk_export"]
    empty.put_experiments("20200301", {})
    assert [file.reason for file in empty.load().refused] == ["shrunk_export"] * 2
