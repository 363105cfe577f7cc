"""A measurement is one fact, whether it comes as CSV, in a snapshot's Parquet, or both."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from tests.project import snapshot_objects
from tests.project.desk import Desk

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
