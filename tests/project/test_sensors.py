"""Sensor readings, by export and by stream, become the measurements that an oracle expects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from loaders.demo.nycflights13 import StagedObject
from tests.project import sensor_objects
from tests.project.desk import Desk
from tests.project.measurement_oracle import Accepted, expect
from tests.project.player import Counted, counted
from tests.project.sensor_oracle import readings

MARTS = (
    "fact_measurements", "quarantined_measurements", "dim_sensors", "dim_time",
    "measurement_anomalies", "daily_measurement_summary", "monthly_temperature_summary",
)  # fmt: skip


def expected(objects: Iterable[StagedObject]) -> Counted:
    copies = readings((item.key, item.body) for item in objects)
    marts = expect(Accepted([], [], [], [], copies))
    return counted({name: marts[name] for name in MARTS})


def found(desk: Desk) -> Counted:
    marts: dict[str, list[dict[str, Any]]] = {}
    with desk.project.warehouse() as warehouse:
        for name in MARTS:
            with warehouse.query(f"select * from research_warehouse.{name}") as result:
                marts[name] = [
                    {c: v for c, v in zip(result.columns, row, strict=True) if c[0] != "_"}
                    for row in result.rows
                ]
    return counted(marts)


def compare(desk: Desk, objects: Iterable[StagedObject]) -> None:
    actual, wanted = found(desk), expected(objects)
    for mart, rows in wanted.items():
        assert (mart, actual[mart] - rows, rows - actual[mart]) == (mart, {}, {})


def stage(desk: Desk, objects: Iterable[StagedObject]) -> None:
    for item in objects:
        desk.put(item.key, item.body)


def test_readings_are_what_the_oracle_says_whatever_comes_first(empty: Desk) -> None:
    first, later = list(sensor_objects.first()), list(sensor_objects.later())
    stage(empty, later)
    loaded = empty.refresh()
    assert (loaded.exit_code, len(loaded.waiting)) == (0, 0)
    compare(empty, later)
    stage(empty, first)
    loaded = empty.refresh()
    empty.test()
    waiting = {export.export_key for export in loaded.waiting}
    assert waiting == {"sensors/readings/AWSDynamoDB/02-incomplete/"}
    compare(empty, first + later)
    check_the_nasty_cases(empty)
    empty.build("--full-refresh")
    compare(empty, first + later)


def check_the_nasty_cases(desk: Desk) -> None:
    """Say of some what became of them, by sensor and minute, for people to read."""
    facts = {
        (sensor, minute): (system, float(temperature), experiment)
        for sensor, minute, system, temperature, experiment in desk.rows(
            "select sensor_id, extract(minute from measured_at)::int, source_system, temperature, "
            "experiment_id from fact_measurements where measured_at::date = '2020-05-10' "
            "and extract(second from measured_at) = 0"
        )
    }
    assert facts["s1", 0] == ("sensors", 21.125, "exp-jfk")  # corrected; the stream said 99
    assert facts["s1", 1][1] == 9.8765  # of 38 digits
    assert facts["s1", 2] == facts["s1", 3] == ("sensors", 20.5, "(unknown)")
    assert facts["s1", 4][2] == "nowhere"
    assert facts["s1", 10] == ("sensors", 20.5, "exp-jfk")  # with an offset; the stream's with Z
    assert facts["s1", 20][0] == "stream"  # delivered three times
    assert facts["s2", 6] == ("stream", 19.0, "(unknown)")  # the export's copy had expired
    assert facts["s3", 2][0] == "sensors"  # deleted for its age: stays
    assert facts["s3", 3] == ("sensors", 16.0, "exp-jfk")  # deleted, and back
    assert facts["s5", 30][0] == "stream"  # hours late
    reasons = {
        (sensor, time): reasons
        for sensor, time, reasons in desk.rows(
            "select sensor_id, right(measurement_id, 16), quarantine_reasons "
            "from quarantined_measurements where sensor_id is not null"
        )
    }
    minute = "10:{:02d}:00.000000Z".format
    assert reasons["s1", minute(7)] == "missing_pressure"  # corrected once, and wrong again
    assert reasons["s2", minute(0)] == "expired"
    assert reasons["s3", minute(1)] == "deleted_at_source"  # though the stream has it
    assert reasons["s3", minute(5)] == "expired"
    assert reasons["s3", minute(7)] == "deleted_at_source"  # without any image of it
    assert reasons["s1", minute(21)] == "missing_temperature"
    assert reasons["s1", minute(22)] == "missing_pressure"
    assert reasons["s1", minute(25)] == "temperature_out_of_range,pressure_out_of_range"
    assert reasons["s1", None] == "missing_measured_at"
    assert reasons["s1", "s1@soon"] == "invalid_measured_at"
    rejected = desk.rows("select reason, encode(raw, 'escape') from ledger.rejected_rows")
    assert rejected == [("not_json", '{"sensor_id":"s1","timestamp":"2020-05-10T10:5')]
    assert desk.rows("select sensor_id, measured_value from measurement_anomalies "
                     "where sensor_id <> 's1'") == [("s9", 30)]  # fmt: skip
