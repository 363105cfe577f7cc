"""`warehouse trace`: from a mart row to the one record of the one object that brought it."""

from __future__ import annotations

import gzip
import io
import json
from collections import defaultdict
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from loaders.cli import cli
from loaders.demo.nycflights13 import exports
from loaders.project import Project
from loaders.trace import MeasurementTrace, trace_measurement
from tests.project import awkward_objects
from tests.project.both import Both
from tests.project.desk import Desk

SAMPLE = 5  # of each mart and source
MARTS = ("fact_measurements", "quarantined_measurements")


def traced(project: Project, staging: Any, measurement_id: str) -> list[MeasurementTrace]:
    with project.warehouse() as warehouse:
        return trace_measurement(warehouse, staging, project.contracts, measurement_id)


def text_of(staging: Any, key: str) -> bytes:
    body: bytes = staging.client.get_object(Bucket=staging.bucket, Key=key)["Body"].read()
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def test_rows_of_every_source_lead_to_their_records_on_redshift(both: Both) -> None:
    staging = both.staging
    for item in [*awkward_objects.first(), *awkward_objects.later()]:
        staging.client.put_object(Bucket=staging.bucket, Key=item.key, Body=item.body)
    ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for mart in MARTS:
        for source, found in both.desk.rows(
            f"select source_system, measurement_id from research_warehouse.{mart} "
            "where measurement_id <> '' and measurement_id not like '%@' order by 1, 2"
        ):
            ids[mart, str(source)].append(str(found))
    assert {source for _, source in ids} >= {"research_db", "sensors", "stream"}
    for (mart, source), names in ids.items():
        for name in names[:: max(1, len(names) // SAMPLE)]:
            traces = traced(both.desk.owner, staging, name)
            (trace,) = (t for t in traces if (t.mart, t.source_system) == (mart, source))
            assert trace.record.gone == ()
            assert [place.counts for place in trace.record.places].count(True) >= 1, trace
            for place in trace.record.places:
                assert place.key in {file.key for file in trace.batch.files}
                if place.key.endswith(".parquet"):
                    body = staging.client.get_object(Bucket=staging.bucket, Key=place.key)["Body"]
                    rows = pq.read_table(io.BytesIO(body.read())).to_pylist()
                    assert rows[place.record_number - 1]["measurement_id"] == trace.source_key
                    continue
                record = text_of(staging, place.key)[place.byte_offset :]
                first = trace.source_key.split("|")[0].replace('"', '""').encode()
                assert first in record.splitlines()[0][:400]


def test_a_fact_leads_to_its_line(demo: Desk) -> None:
    key = "research_db/measurements/2013-06.csv.gz"
    lines = text_of(demo.project.staging, key).splitlines(keepends=True)
    name = "JFK-2013-06-15T12:00:00Z"
    (number,) = (at for at, line in enumerate(lines) if line.startswith(name.encode()))
    (trace,) = traced(demo.project, demo.project.staging, name)
    assert (trace.mart, trace.source_system, trace.source_key) == (MARTS[0], "research_db", name)
    (place,) = trace.record.places
    assert (place.key, place.record_number, place.line_number, place.byte_offset) == (
        key, number, number + 1, sum(map(len, lines[:number])),
    )  # fmt: skip


def test_the_command_says_where_and_what_is_gone(
    demo: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, key = "LGA-2013-02-03T04:00:00Z", "research_db/measurements/2013-02.csv.gz"
    monkeypatch.setenv("DBT_PROFILES_DIR", str(demo.project.settings.profiles_dir))
    monkeypatch.setenv("DBT_PROJECT_DIR", str(demo.project.settings.project_dir))

    def run(*options: str) -> str:
        result = CliRunner().invoke(cli, ["trace", name, *options])
        assert result.exit_code == 0, result.output
        return result.output

    assert f"{key}: record " in run()
    (found,) = json.loads(run("--json"))
    assert found["record"]["places"][0]["key"] == key
    demo.put(key, b"changed since")
    assert f"{key} is not there any more as it was loaded" in run()
    for item in exports():
        if item.key == key:
            demo.put(key, item.body)
    assert f"{key}: record " in run()


def test_of_several_versions_in_a_batch_one_counts(empty: Desk) -> None:
    empty.put_measurements(
        "a",
        {"updated_at": "2020-06-01T00:00:00Z", "temperature": "1"},
        {"updated_at": "2020-06-03T00:00:00Z", "temperature": "2"},
        {"updated_at": "2020-06-03T00:00:00Z", "temperature": " 2 "},  # the same again
        {"updated_at": "2020-06-02T00:00:00Z", "temperature": "3"},
    )
    empty.refresh()
    (trace,) = traced(empty.project, empty.project.staging, "m1")
    found = [(place.record_number, place.counts) for place in trace.record.places]
    assert found == [(1, False), (2, True), (3, True), (4, False)]
