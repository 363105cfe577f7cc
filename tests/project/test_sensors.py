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

MARTS = ("fact_measurements", "quarantined_measurements", "dim_sensors", "dim_time",
         "daily_measurement_summary", "monthly_temperature_summary")  # fmt: skip


def expected(objects: Iterable[StagedObject]) -> Counted:
    copies = readings((item.key, item.body) for item in objects)
    marts = expect(Accepted([], [], [], [], copies))
    return counted({name: marts[name] for name in MARTS})


def found(desk: Desk) -> Counted:
    marts: dict[str, list[dict[str, Any]]] = {}
    with desk.project.warehouse() as warehouse:
        for name in MARTS:
            with warehouse.query(f"select * from {name}") as result:
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
    loaded = empty.run().load
    waiting = {export.export_key for export in loaded.waiting}
    assert waiting == {"sensors/readings/AWSDynamoDB/02-incomplete/"}
    compare(empty, first + later)
    empty.build("--full-refresh")
    compare(empty, first + later)
