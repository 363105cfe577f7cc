"""The facts of HPC files are what xarray and pint say, whatever is staged anew."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from loaders.demo.hpc import EXPERIMENT, netcdf_file, stage_hpc
from loaders.exporters.csv_dialect import BUILT_IN
from loaders.exporters.stage import stage_files
from loaders.trace import trace_measurement
from tests.loaders.hpc_files import station_series
from tests.project import hpc_objects
from tests.project.both import Both
from tests.project.desk import Desk, Row, subjects
from tests.project.observation_oracle import Observed, expect, same

BUILD = ("--select", "source:hpc+", "--exclude", *subjects("literature"))
WITH_CORE = (
    "--select", "source:research_db+", "source:hpc+", "--exclude", *subjects("literature")
)  # fmt: skip
FACTS = """
    select file_id, variable_name, position, canonical_unit, value, observed_at, latitude, longitude
    from fact_observations
    join dim_variables on fact_observations.variable_key = dim_variables.variable_key
    join hpc_files on fact_observations.file_key = hpc_files.file_key
"""
QUARANTINED = "select file_id, variable, position, quarantine_reasons from quarantined_observations"
MARTS = ("fact_observations", "quarantined_observations", "dim_variables", "hpc_files", "dim_time")


def stage(desk: Desk, paths: Sequence[Path], experiment: str = "e1") -> None:
    result = stage_files(desk.project.staging, paths, experiment, dialect=BUILT_IN["plain"])
    assert [file.detail for file in result.files] == [None] * len(paths)


def check(desk: Desk, expected: Sequence[Observed]) -> tuple[int, int]:
    """Compare the marts with the files' values; return how many facts and quarantined there are."""
    facts = {row[:3]: row for row in desk.rows(FACTS)}
    wanted = {(r.file_id, r.variable, r.position): r for r in expected if r.reasons is None}
    assert facts.keys() == wanted.keys()
    for key, row in wanted.items():
        _, _, _, unit, value, observed_at, latitude, longitude = facts[key]
        assert (unit, observed_at) == (row.unit, row.observed_at), key
        assert same(row.value, value), (key, row.value, value)
        assert same(row.latitude, latitude), key
        assert same(row.longitude, longitude), key
    quarantined = Counter(desk.rows(QUARANTINED))
    assert quarantined == Counter(
        (r.file_id, r.variable, r.position, r.reasons) for r in expected if r.reasons
    )
    return len(facts), quarantined.total()


def test_facts_are_what_xarray_and_pint_say(empty: Desk, tmp_path: Path) -> None:
    stations = tmp_path / "stations.nc"
    station_series().to_netcdf(stations, format="NETCDF3_64BIT")
    paths = [netcdf_file(), stations]
    stage(empty, paths)
    empty.load()
    empty.build(*BUILD)
    empty.dbt.invoke("test", "--select", "models/marts/observations")
    facts, quarantined = check(empty, [row for path in paths for row in expect(path)])
    assert (facts, quarantined) == (26_502, 3)


@pytest.mark.ci
def test_the_demo_stages_a_real_file(empty: Desk) -> None:
    staged = stage_hpc(empty.project.staging)
    assert [file.staged for file in staged.files] == [26_500]
    assert [file.status for file in stage_hpc(empty.project.staging).files] == ["skipped"]
    empty.load()
    empty.build(*BUILD)
    assert empty.rows("select distinct experiment_id, experiment_key from fact_observations") == [
        (EXPERIMENT, -1)
    ]


def marts(desk: Desk) -> dict[str, Counter[Row]]:
    found = {}
    for mart in MARTS:
        columns = ", ".join(
            name
            for (name,) in desk.rows(
                "select column_name from information_schema.columns where table_name = "
                f"'{mart}' and left(column_name, 1) <> '_' order by ordinal_position"
            )
        )
        found[mart] = Counter(desk.rows(f"select {columns} from {mart}"))
    return found


def put(desk: Desk, objects: Any) -> None:
    for item in objects:
        desk.put(item.key, item.body)


@pytest.mark.ci
def test_incremental_equals_full_refresh_and_any_order(fresh: Any) -> None:
    """A file staged anew replaces its rows; copies add none; the order does not matter."""
    desk = fresh(WITH_CORE)
    desk.put_experiments("20130101", {"experiment_id": "exp-jfk"}, {"experiment_id": "e2"})
    put(desk, hpc_objects.first())
    desk.refresh()
    before = marts(desk)
    reasons = Counter(
        row[0] for row in desk.rows("select quarantine_reasons from quarantined_observations")
    )
    assert reasons.keys() >= {
        "invalid_value", "unknown_unit", "value_out_of_range", "observed_at_out_of_range",
        "outside_range_of_file", "unknown_unit,observed_at_out_of_range",
    }  # fmt: skip
    keys = desk.rows("select experiment_key from fact_observations where experiment_id = 'exp-jfk'")
    assert len(set(keys)) == 1
    put(desk, hpc_objects.later())
    # The experiment changes between two of the values.
    desk.put_experiments("20131001", {"experiment_id": "exp-jfk", "experiment_name": "Second"})
    desk.refresh()
    desk.test()
    keys = desk.rows("select experiment_key from fact_observations where experiment_id = 'exp-jfk'")
    assert len(set(keys)) == 2
    incremental = marts(desk)
    assert incremental["fact_observations"] != before["fact_observations"]
    desk.build("--full-refresh")
    assert marts(desk) == incremental
    again = fresh(WITH_CORE)
    again.put_experiments("20130101", {"experiment_id": "exp-jfk"}, {"experiment_id": "e2"})
    again.put_experiments("20131001", {"experiment_id": "exp-jfk", "experiment_name": "Second"})
    put(again, hpc_objects.later())
    again.refresh()
    kept = {item.key for item in hpc_objects.later()}
    put(again, (item for item in hpc_objects.first() if item.key not in kept))
    again.refresh()
    assert marts(again) == incremental


def test_an_observation_leads_to_its_record(empty: Desk) -> None:
    put(empty, hpc_objects.first())
    empty.load()
    empty.build(*BUILD)
    for mart, value in (("fact_observations", 415_000), ("quarantined_observations", 36_000)):
        ((key,),) = empty.rows(
            f"select min(observation_key) from {mart} where source_value = {value}"
        )
        project = empty.project
        with project.warehouse() as warehouse:
            (trace,) = trace_measurement(warehouse, project.staging, project.contracts, str(key))
        assert trace.mart == mart
        (place,) = trace.record.places
        stored = project.staging.client.get_object(Bucket=place.bucket, Key=place.key)
        rows = pq.read_table(io.BytesIO(stored["Body"].read())).to_pylist()
        row = rows[place.record_number - 1]
        assert row["value"] == value
        names = ("experiment_id", "file_id", "variable", "position")
        assert trace.source_key == "|".join(str(row[name]) for name in names)


def test_values_stand_in_variables_of_one_unit(empty: Desk) -> None:
    """A ratio is a percentage if its variable is a humidity; without a unit it stays as it is."""
    put(empty, hpc_objects.first())
    empty.load()
    empty.build(*BUILD)
    found = empty.rows(
        "select variable_name, standard_name, canonical_unit, source_unit, min(value), max(value) "
        "from fact_observations join dim_variables using (variable_key) "
        "where experiment_id = 'exp-jfk' and variable_name <> 'temperature' "
        "group by 1, 2, 3, 4 order by 1"
    )
    assert found == [
        ("bare", None, None, None, 1.5, 2.5),
        ("co2", None, "ppm", "ppb", 415.0, 415.0),
        ("pH", None, "1", "1", 7.0, 7.5),
        ("relative_humidity", None, "%", "1", 50.0, 50.0),
        ("wind_speed", None, "m s-1", "km/h", 10.0, 10.0),
    ]


def test_both_warehouses_hold_what_is_awkward(both: Both) -> None:
    for mart in MARTS:
        assert both.postgres[1][mart], mart
    first, later = (step["fact_observations"] for step in both.postgres)
    assert first - later
    assert later - first
