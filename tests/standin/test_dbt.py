"""The real dbt-redshift builds a small project twice, rebuilds it, and documents it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt.cli.main import dbtRunner
from redshift_connector.core import Connection

from tests.standin.driver import execute, failure, rows, value
from tests.standin.server import StandIn

Dbt = Callable[..., dict[str, str]]


pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def project(standin: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project whose profile leads to the stand-in."""
    directory = tmp_path_factory.mktemp("dbt") / "project"
    shutil.copytree(Path(__file__).parent / "project", directory)
    output = {
        "type": "redshift",
        "host": standin.host,
        "port": standin.port,
        "user": standin.user,
        "password": standin.password,
        "dbname": standin.database,
        "schema": "dbt_standin",
        "sslmode": "verify-full",
        "threads": 2,
    }
    profile = {"standin": {"target": "redshift", "outputs": {"redshift": output}}}
    (directory / "profiles.yml").write_text(yaml.safe_dump(profile))
    standin.admin("drop schema if exists dbt_standin cascade")
    standin.admin("drop role if exists standin_reader; create role standin_reader login")
    return directory


@pytest.fixture(scope="module")
def dbt(project: Path) -> Dbt:
    """Return a function that runs dbt and gives each node's status."""

    def run(*arguments: str) -> dict[str, str]:
        where = ["--project-dir", str(project), "--profiles-dir", str(project)]
        where += ["--target-path", str(project / "target")]  # another test may have set one
        result = dbtRunner().invoke([*arguments, *where, "--quiet", "--no-partial-parse"])
        assert result.exception is None, result.exception
        results: list[Any] = getattr(result.result, "results", [])
        failed = {r.node.name: r.message for r in results
                  if r.status not in ("success", "pass", "warn")}  # fmt: skip
        assert result.success, failed
        nodes = [r for r in results if r.node.resource_type.value != "operation"]
        return {r.node.name: str(r.status) for r in nodes}

    return run


@pytest.fixture(scope="module")
def built(dbt: Dbt) -> dict[str, str]:
    dbt("seed")
    return dbt("build", "--exclude-resource-type", "seed")


@pytest.fixture
def reader(standin: StandIn, built: dict[str, str]) -> Connection:
    connection = standin.connect()
    connection.autocommit = True
    execute(connection, "set search_path to dbt_standin")
    return connection


def test_every_kind_of_node_builds(built: dict[str, str]) -> None:
    assert set(built.values()) == {"success", "pass"}
    assert len(built) == 13


def test_the_nodes_hold_what_they_select(reader: Connection) -> None:
    assert rows(reader, "select station, readings, whole from bound_view order by 1") == [
        ["a", 2, 1], ["b", 1, 3],
    ]  # fmt: skip
    assert rows(reader, "select * from late_view where reading_id = 1 order by at_index") == [
        [1, "a", 1, 0], [1, "a", 2, 1],
    ]  # fmt: skip
    assert rows(reader, "select station, reading_id from latest_by_merge order by 1") == [
        ["a", 2], ["b", 3],
    ]  # fmt: skip
    assert rows(reader, "select station, days from totals_view order by 1") == [["a", 1], ["b", 1]]


def test_layout_grants_and_comments_are_kept(reader: Connection) -> None:
    assert rows(
        reader, 'select diststyle, sortkey1, sortkey_num from svv_table_info where "table" = '
        "'readings_table'",
    ) == [["KEY(reading_id)", "taken_on", 2]]  # fmt: skip
    assert rows(reader, "select identity_name, privilege_type from svv_relation_privileges where "
                "relation_name = 'readings_table' and identity_name = 'standin_reader'"
                ) == [["standin_reader", "SELECT"]]  # fmt: skip
    remarks = "select remarks from svv_redshift_columns where table_name = 'readings_table' "
    assert value(reader, f"{remarks} and column_name = 'station'") == "Where it was taken."
    assert rows(reader, "select data_type from svv_redshift_columns where table_name = "
                "'readings_table' order by ordinal_position") == [
        ["bigint"], ["character varying(8)"], ["date"], ["numeric(6,2)"], ["super"],
    ]  # fmt: skip


def test_a_second_build_changes_what_changed(dbt: Dbt, reader: Connection) -> None:
    execute(reader, "insert into readings values (4, 'b', '2013-01-02 05:00:00', 4.00)",
            "update readings set value = 9 where reading_id = 1")  # fmt: skip
    dbt("build", "--exclude-resource-type", "seed")
    assert rows(reader, "select station, reading_id from latest_by_merge order by 1") == [
        ["a", 2], ["b", 4],
    ]  # fmt: skip
    assert value(reader, "select readings from daily_by_delete_insert where station = 'b'") == 2
    assert rows(
        reader, "select value, dbt_valid_to from readings_snapshot where reading_id = 1 "
        "order by dbt_valid_from",
    )[1][1] == datetime(9999, 12, 31)  # fmt: skip
    assert value(reader, "select count(*) from readings_snapshot") == 5


def test_a_full_refresh_rebuilds(dbt: Dbt, reader: Connection) -> None:
    dbt("build", "--full-refresh", "--exclude-resource-type", "seed")
    assert value(reader, "select count(*) from daily_by_delete_insert") == 2
    assert value(reader, "select count(*) from totals_view") == 2


def test_a_late_binding_view_outlives_its_table(reader: Connection) -> None:
    execute(reader, "create table gone (a integer)",
            "create view over_gone as select * from dbt_standin.gone with no schema binding",
            "drop table gone")  # fmt: skip
    assert 'relation "dbt_standin.gone" does not exist' in failure(
        reader, "select * from over_gone"
    )["M"]  # fmt: skip
    execute(reader, "create table gone (a integer, b integer)", "insert into gone values (1, 2)")
    assert rows(reader, "select * from over_gone") == [[1, 2]]


def test_docs_are_generated(dbt: Dbt, project: Path, reader: Connection) -> None:
    dbt("docs", "generate")
    catalog = json.loads((project / "target" / "catalog.json").read_text())
    nodes = {name.split(".")[2]: node for name, node in catalog["nodes"].items()}
    assert catalog["errors"] is None
    assert nodes["totals_view"]["metadata"]["type"] == "MATERIALIZED VIEW"
    assert nodes["late_view"]["metadata"]["type"] == "LATE BINDING VIEW"
    assert list(nodes["late_view"]["columns"]) == ["reading_id", "station", "part", "at_index"]
    table = nodes["readings_table"]
    assert table["metadata"]["comment"] == "One row per reading. It's dollar-quoted."
    assert table["columns"]["document"]["type"] == "super"
    assert table["stats"]["diststyle"]["value"] == "KEY(reading_id)"


def test_source_freshness_is_measured(dbt: Dbt, reader: Connection) -> None:
    assert dbt("source", "freshness", "--select", "source:raw.readings") == {"readings": "warn"}
