"""BI tools: what the reader's login finds, and a dashboard of a real one, seen in a browser."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from bi.server import DASHBOARD, READER, Superset, open_to_reader
from loaders.embedded.background import LOOPBACK, free_port
from loaders.embedded.postgres import EmbeddedPostgres
from loaders.errors import UsageError
from loaders.warehouse.redshift import RedshiftWarehouse
from tests.project import sites
from tests.project.chromium import Page, opened
from tests.project.desk import ROOT
from tests.project.people import PASSWORD
from tests.project.sites import Site

ASSETS = ROOT / "bi" / "assets"
SCHEMA = "research_warehouse"
UNDESCRIBED = f"""
select c.relname, a.attname, of_table.objoid is not null
from pg_catalog.pg_class c
inner join pg_catalog.pg_namespace n on n.oid = c.relnamespace
inner join pg_catalog.pg_attribute a on a.attrelid = c.oid
left join pg_catalog.pg_description of_table on of_table.objoid = c.oid and of_table.objsubid = 0
left join pg_catalog.pg_description of_column
    on of_column.objoid = c.oid and of_column.objsubid = a.attnum
where
    n.nspname = '{SCHEMA}' and c.relkind in ('r', 'v', 'm') and a.attnum > 0
    and not a.attisdropped and (of_table.objoid is null or of_column.objoid is null)
"""


def test_a_reader_finds_every_table_and_column_described(site: Site) -> None:
    columns = site.people.rows(
        "the_reader",
        f"select table_name, column_name from information_schema.columns "
        f"where table_schema = '{SCHEMA}'",
    )
    assert {("fact_measurements", "temperature"), ("secure_measurements", "temperature")} <= set(
        columns
    )
    with site.owner.warehouse() as warehouse:
        on_redshift = isinstance(warehouse, RedshiftWarehouse)
    undescribed = {
        (relation, table_is_described)
        for relation, _, table_is_described in site.people.rows("the_reader", UNDESCRIBED)
        if not relation.startswith("mv_tbl__")  # what is behind a materialized view of Redshift
    }
    assert undescribed == ({("monthly_temperature_summary", True)} if on_redshift else set())


def test_a_reader_is_shown_the_marts_and_nothing_else(site: Site) -> None:
    found = site.people.rows("the_reader", "select table_schema from information_schema.tables")
    assert {schema for (schema,) in found} - {"pg_catalog", "information_schema"} == {SCHEMA}


def assets(kind: str) -> list[dict[str, Any]]:
    """Return what the files of a kind hold."""
    return [yaml.safe_load(file.read_text()) for file in (ASSETS / kind).rglob("*.yaml")]


def test_the_exposure_names_what_the_dashboard_reads() -> None:
    (dashboard,) = assets("dashboards")
    exposures = yaml.safe_load((ROOT / "models" / "_exposures.yml").read_text())["exposures"]
    (exposure,) = (one for one in exposures if one["label"] == dashboard["dashboard_title"])
    shown = {chart["dataset_uuid"] for chart in assets("charts")}
    datasets = [one for one in assets("datasets") if one["uuid"] in shown]
    read = {
        f"ref('{table}')"
        for one in datasets
        for table in re.findall(rf"{SCHEMA}\.(\w+)", one.get("sql", "")) or [one["table_name"]]
    }
    assert len(datasets) == len(shown) == 3
    assert set(exposure["depends_on"]) == read
    assert dashboard["slug"] == Path(DASHBOARD).name


def test_without_superset_one_is_told_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="make bi"):
        Superset(tmp_path / "none", tmp_path / "home").build({})
    assert not (tmp_path / "home").exists()


@pytest.mark.xdist_group("people")
def test_the_login_for_tools_reads_the_marts_and_writes_nothing(
    postgres: EmbeddedPostgres, postgres_site: Site
) -> None:
    server = {"host": postgres.host, "port": postgres.port, "dbname": postgres.database}
    owner = {"user": postgres.superuser, "password": postgres.password}
    with psycopg.connect(**server, **owner, autocommit=True) as connection:
        with pytest.raises(UsageError, match="make demo"):
            open_to_reader(postgres)
        connection.execute(
            f"create schema {SCHEMA}; create table {SCHEMA}.fact_measurements as select 1 as x; "
            f"grant usage on schema {SCHEMA} to research_readers; "
            f"grant select on all tables in schema {SCHEMA} to research_readers"
        )
        try:
            login = open_to_reader(postgres)
            assert open_to_reader(postgres) == login
            with psycopg.connect(**login, autocommit=True) as reader:
                assert reader.execute("select x from fact_measurements").fetchall() == [(1,)]
                for sql in ("create table t (x int)", "delete from fact_measurements"):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        reader.execute(sql)
        finally:
            connection.execute(f"drop schema {SCHEMA} cascade")
            connection.execute(f"drop role if exists {READER}")


@pytest.fixture(scope="module")
def superset(
    postgres: EmbeddedPostgres, postgres_site: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Superset, str]]:
    """Build the dashboard twice, as the reader, and serve it; give its address, too."""
    installed = Path(sys.prefix, "superset")
    if not (installed / "bin" / "gunicorn").exists():
        pytest.skip("Superset is not installed; `make bi` installs it")
    superset = Superset(installed, tmp_path_factory.mktemp("bi") / "home")
    login = {
        "host": postgres.host,
        "port": str(postgres.port),
        "dbname": sites.DATABASE,
        "user": "the_reader",
        "password": PASSWORD,
    }
    superset.build(login)
    superset.build(login)
    port = free_port()
    address = f"http://{LOOPBACK}:{port}/"
    server = subprocess.Popen(superset.command(port), env=superset.environment)
    try:
        deadline = time.monotonic() + 120
        while not answers(address):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield superset, address
    finally:
        server.terminate()
        server.wait(30)


def answers(address: str) -> bool:
    """Whether Superset is ready."""
    try:
        with urllib.request.urlopen(f"{address}health", timeout=60) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def pivoted(answer: dict[str, Any]) -> dict[tuple[Any, str], float]:
    """Return (month, series) -> value of a chart over time."""
    return {
        (datetime.fromtimestamp(row["month"] / 1000, UTC).date(), name): value
        for row in answer["data"]
        for name, value in row.items()
        if name != "month" and value is not None
    }


def log_in(page: Page, superset: Superset, address: str) -> None:
    page.call("Page.navigate", url=f"{address}login/?next=/{DASHBOARD}")
    page.type_into("#username", "admin")
    page.type_into("#password", superset.password_file.read_text())
    page.evaluate("document.querySelector('form button[type=submit]').click()")


DRAWN = """(() => {
    const drawn = [...document.querySelectorAll('.slice_container canvas')].filter(canvas => {
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data
        return new Set(pixels).size > 10
    })
    return drawn.length >= 2 && document.querySelectorAll('.slice_container td').length > 0
})()"""


@pytest.mark.ci
@pytest.mark.xdist_group("people")
def test_a_dashboard_shows_the_numbers_of_the_marts(
    superset: tuple[Superset, str], postgres_site: Site, browser: str, tmp_path: Path
) -> None:
    tool, address = superset
    with opened(browser, tmp_path / "profile") as page:
        log_in(page, tool, address)
        page.wait_for(DRAWN)
        page.picture(tmp_path / "dashboard.png")
        shown = {
            frozenset(answer["colnames"]): answer
            for body in page.answers_of("/api/v1/chart/data")
            for answer in body["result"]
        }
        cells = page.evaluate(
            "[...document.querySelectorAll('.slice_container td')].map(cell => cell.innerText)"
        )
        found = page.evaluate(
            f"fetch('/api/v1/database/1/tables/?q=(schema_name:{SCHEMA})').then(a => a.json())"
        )
        described = page.evaluate(
            "fetch('/api/v1/database/1/table_metadata/"
            f"?name=fact_measurements&schema={SCHEMA}').then(a => a.json())"
        )
        elsewhere = [
            event["params"]["response"]["url"]
            for event in page.events
            if event.get("method") == "Network.responseReceived"
            and not event["params"]["response"]["url"].startswith((address, "data:", "blob:"))
        ]
        thrown = [one for one in page.events if one.get("method") == "Runtime.exceptionThrown"]
    assert (elsewhere, thrown) == ([], [])

    def ask(sql: str) -> list[tuple[Any, ...]]:
        return postgres_site.people.rows("the_reader", sql)

    months = ask(
        "select month, experiment_name, max(avg_temperature) "
        f"from {SCHEMA}.monthly_temperature_summary group by 1, 2"
    )
    revenue = ask(f"select month, region, revenue from {SCHEMA}.sales_by_region_monthly")
    over_time = [pivoted(answer) for names, answer in shown.items() if "month" in names]
    assert {frozenset(one.items()) for one in over_time} == {
        frozenset(((month, name), float(value)) for month, name, value in rows)
        for rows in (months, revenue)
    }
    departments = ask(
        "select coalesce(e.department, 'unknown'), f.source_system, count(*) "
        f"from {SCHEMA}.fact_measurements f inner join {SCHEMA}.dim_experiments e "
        "on e.experiment_key = f.experiment_key group by 1, 2"
    )
    assert sorted(zip(cells[::4], cells[1::4], cells[2::4], strict=True)) == sorted(
        (department, source, f"{count:,}") for department, source, count in departments
    )
    ((facts,),) = ask(f"select count(*) from {SCHEMA}.fact_measurements")
    assert sum(count for _, _, count in departments) == facts > 0

    assert {"dim_experiments", "fact_sales", "monthly_temperature_summary"} <= {
        one["value"] for one in found["result"]
    }
    assert described["comment"].startswith("One row per measurement.")
    assert all(column["comment"] for column in described["columns"])


@pytest.mark.ci
@pytest.mark.xdist_group("people")
def test_building_again_leaves_one_dashboard_with_described_columns(
    superset: tuple[Superset, str],
) -> None:
    tool, _ = superset
    with sqlite3.connect(tool.home / "superset.db") as kept:
        counts = [
            kept.execute(f"select count(*) from {table}").fetchone()[0]
            for table in ("dbs", "dashboards", "slices", "tables", "ab_user")
        ]
        columns = dict(
            kept.execute(
                "select t.table_name || '.' || c.column_name, c.description "
                "from table_columns c inner join tables t on t.id = c.table_id"
            )
        )
        everything = "\n".join(kept.iterdump())
    assert counts == [1, 1, 3, 3, 1]
    mean = columns["monthly_temperature_summary.avg_temperature"]
    assert mean == "Mean, degrees Celsius, decimal(12, 6)."
    assert None not in columns.values()
    assert PASSWORD not in everything
    assert tool.password_file.read_text() not in everything + tool.log.read_text()
    assert PASSWORD not in tool.log.read_text()
    assert tool.home.stat().st_mode & 0o077 == 0
