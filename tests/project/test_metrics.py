"""Metrics, as MetricFlow answers them, are what the summaries say, to the stored digit."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from tests.project import sales_objects
from tests.project.both import Both
from tests.project.desk import ROOT, Desk
from tests.project.metric_queries import metric_sql, semantic_manifest
from tests.project.test_compiled_redshift import refusals
from tests.standin.lexer import lex

QUANTITIES = ("temperature", "pressure", "humidity")
PARTS = ("{}_n", "{}_sum", "{}_sum_of_squares", "min_{}", "max_{}")
BY_MONTH = "metric_time__month,experiment"
ALL_PARTS = ",".join(part.format(quantity) for quantity in QUANTITIES for part in PARTS)
TEMPERATURE = "avg_temperature,min_temperature,max_temperature,stddev_temperature"


@pytest.fixture(scope="session")
def manifest(dbt_environment: Path, built_from_nothing: str) -> Path:
    """Give what MetricFlow reads, in a directory that passes for the project's."""
    place = dbt_environment / "metrics"
    place.mkdir()
    shutil.copy(ROOT / "dbt_project.yml", place)
    dbt = Desk.open(ROOT, dbt_environment).dbt
    return semantic_manifest(dbt, place / "target" / "semantic_manifest.json")


def test_monthly_temperatures_are_those_of_the_summary(demo: Desk, manifest: Path) -> None:
    found = demo.rows(metric_sql(manifest, f"{TEMPERATURE},temperature_n", BY_MONTH))
    stored = demo.rows(
        "select cast(month as timestamp), experiment_id, avg_temperature, min_temperature, "
        "max_temperature, temp_stddev, measurement_count from monthly_temperature_summary"
    )
    assert len(stored) == 36
    assert Counter(found) == Counter(stored)
    assert all(row[2].as_tuple().exponent == -6 for row in found)


def test_every_part_is_that_of_the_summaries(demo: Desk, manifest: Path) -> None:
    parts = ("n", "sum", "sum_of_squares", "min", "max")
    columns = ", ".join(f"{quantity}_{part}" for quantity in QUANTITIES for part in parts)
    for period, column, summary in (
        ("day", "measured_date", "daily_measurement_summary"),
        ("month", "month", "monthly_measurement_summary"),
    ):
        stored = demo.rows(
            f"select cast({column} as timestamp), experiment_id, {columns}, measurement_count "
            f"from {summary}"
        )
        by = f"metric_time__{period},experiment"
        found = demo.rows(metric_sql(manifest, f"{ALL_PARTS},measurement_count", by))
        assert stored
        assert Counter(found) == Counter(stored)


@pytest.mark.ci
def test_the_command_of_the_documentation_answers(
    demo: Desk, manifest: Path, dbt_environment: Path, tmp_path: Path
) -> None:
    answer = tmp_path / "answer.csv"
    command = [str(Path(sys.executable).with_name("mf")), "query", "--metrics", "avg_temperature"]
    command += ["--group-by", BY_MONTH, "--csv", str(answer)]
    environment = os.environ | {
        "DBT_PROFILES_DIR": str(dbt_environment),
        "DBT_PROJECT_DIR": str(manifest.parents[1]),
    }
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    with answer.open() as lines:
        header, *rows = csv.reader(lines)
    assert header == ["metric_time__month", "experiment", "avg_temperature"]
    stored = demo.rows(
        "select cast(month as timestamp), experiment_id, avg_temperature "
        "from monthly_temperature_summary"
    )
    assert {(month[:10], experiment, Decimal(value)) for month, experiment, value in rows} == {
        (f"{month:%Y-%m-%d}", experiment, value) for month, experiment, value in stored
    }


def test_attributes_are_those_of_the_time_of_measurement(demo: Desk, manifest: Path) -> None:
    then, now = "experiment_name", "current_experiment_name"
    counted: dict[str, Counter[object]] = {}
    for name in (then, now):
        asked = metric_sql(manifest, "measurement_count", f"experiment_version__{name}")
        counted[name] = Counter(dict(demo.rows(asked)))
        stored = demo.rows(
            f"select {name}, count(*) from fact_measurements join dim_experiments "
            "using (experiment_key) group by 1"
        )
        assert counted[name] == Counter(dict(stored))
    assert len(counted[then]) > len(counted[now]) == 3  # one was renamed


def test_the_share_in_quarantine_is_that_of_the_marts(demo: Desk, manifest: Path) -> None:
    ((facts,),) = demo.rows("select count(*) from fact_measurements")
    ((bad,),) = demo.rows("select count(*) from quarantined_measurements")
    share = (Decimal(bad) / (facts + bad)).quantize(Decimal("0.000001"))
    found = demo.rows(metric_sql(manifest, "share_quarantined", "source_system"))
    assert found == [("research_db", share)]
    assert share


@pytest.mark.ci
def test_sales_are_those_of_their_summary(empty: Desk, manifest: Path) -> None:
    for item in sales_objects.first():
        empty.put(item.key, item.body)
    assert empty.load().exit_code == 0
    empty.build("--select", "source:sales+")
    stored = empty.rows(
        "select cast(month as timestamp), region, revenue, order_count from sales_by_region_monthly"
    )
    asked = metric_sql(manifest, "sales_revenue,sales_orders", "metric_time__month,region")
    assert stored
    assert Counter(empty.rows(asked)) == Counter(stored)


def test_each_metric_says_what_it_is_in_which_unit(manifest: Path) -> None:
    metrics = json.loads(manifest.read_text())["metrics"]
    assert len(metrics) == 27
    silent = [m["name"] for m in metrics if not m["description"] or not m["label"]]
    assert silent == []


@pytest.mark.parametrize(
    ("metrics", "group_by"),
    [
        (f"avg_temperature,stddev_temperature,{ALL_PARTS}", BY_MONTH),
        ("share_quarantined", "source_system"),
        ("avg_humidity", "experiment_version__current_experiment_name"),
        ("sales_revenue,sales_orders", "metric_time__month,region"),
    ],
)
def test_redshift_is_asked_in_its_own_words(manifest: Path, metrics: str, group_by: str) -> None:
    assert refusals(lex(metric_sql(manifest, metrics, group_by, "redshift"))) == []


def test_redshift_answers_as_its_summary_does(both: Both, manifest: Path, tmp_path: Path) -> None:
    with both.desk.environment():
        there = semantic_manifest(both.desk.dbt, tmp_path / "target" / "semantic_manifest.json")
    found = both.desk.rows(metric_sql(there, f"{TEMPERATURE},temperature_n", BY_MONTH, "redshift"))
    stored = both.desk.rows(
        "select cast(month as timestamp), experiment_id, avg_temperature, min_temperature, "
        "max_temperature, temp_stddev, measurement_count "
        "from research_warehouse.monthly_temperature_summary"
    )
    known = [row for row in found if row[-1]]  # the summary has months with a temperature only
    assert stored
    assert Counter(map(repr, known)) == Counter(map(repr, stored))
