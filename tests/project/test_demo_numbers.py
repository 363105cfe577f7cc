"""The marts agree with what the data package itself says, computed without our code."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.project.desk import Desk
from tests.project.nycflights13_oracle import MonthlyTemperature, monthly_temperatures, weather


def test_monthly_summary_equals_the_oracle_to_the_last_digit(demo: Desk) -> None:
    rows = demo.rows(
        "select upper(right(experiment_id, 3)), month::text, avg_temperature, min_temperature, "
        "max_temperature, temp_stddev, measurement_count from monthly_temperature_summary"
    )
    summary = {(code, month): MonthlyTemperature(*rest) for code, month, *rest in rows}
    assert len(rows) == 36
    assert summary == monthly_temperatures()


def test_every_row_is_a_fact_or_quarantined_with_its_reason(demo: Desk) -> None:
    source = weather()
    empty = [r for r in source if r["temp"] == r["humid"] == r["pressure"] == "NA"]
    assert demo.rows("select count(*) from fact_measurements") == [(len(source) - len(empty),)]
    assert demo.rows("select measurement_id, quarantine_reasons from quarantined_measurements") == [
        (f"{row['origin']}-{row['time_hour']}", "no_quantity") for row in empty
    ]


def test_missing_pressure_stays_missing(demo: Desk) -> None:
    missing = Counter(r["origin"] for r in weather() if r["pressure"] == "NA" and r["temp"] != "NA")
    rows = demo.rows(
        "select location_id, count(*) from fact_measurements where pressure is null group by 1"
    )
    assert dict(rows) == missing
    assert missing.total() > 2700


def test_the_doubled_local_hour_is_two_hours_of_utc(demo: Desk) -> None:
    assert demo.rows(
        "select t.hour, count(*) from fact_measurements f join dim_time t using (time_key) "
        "where f.measured_at >= '2013-11-03 05:00' and f.measured_at < '2013-11-03 07:00' "
        "group by 1 order by 1"
    ) == [(5, 3), (6, 3)]


def test_pressures_that_r_wrote_with_an_exponent_are_numbers(demo: Desk) -> None:
    written = [r for r in weather() if "e" in r["pressure"]]
    assert written
    for row in written:
        assert demo.rows(
            f"select pressure from fact_measurements "
            f"where measurement_id = '{row['origin']}-{row['time_hour']}'"
        ) == [(float(row["pressure"]),)]


@pytest.mark.ci
def test_nothing_new_loads_and_builds_nothing(demo: Desk) -> None:
    assert demo.run().build
    builds = demo.rows("select count(*) from ledger.builds")
    result = demo.run()
    assert (result.load.files, result.load.skipped, result.build) == (0, 18, None)
    assert demo.rows("select count(*) from ledger.builds") == builds


def test_the_summary_is_a_materialized_view_with_these_columns(demo: Desk) -> None:
    assert demo.rows(
        "select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute a "
        "join pg_class c on c.oid = a.attrelid where c.relname = 'monthly_temperature_summary' "
        "and c.relkind = 'm' and a.attnum > 0 order by a.attnum"
    ) == [
        ("experiment_id", "character varying(36)"),
        ("experiment_name", "character varying(200)"),
        ("month", "date"),
        ("avg_temperature", "numeric(12,6)"),
        ("min_temperature", "numeric(10,4)"),
        ("max_temperature", "numeric(10,4)"),
        ("temp_stddev", "numeric(12,6)"),
        ("measurement_count", "bigint"),
    ]
