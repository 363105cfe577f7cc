"""The real dbt-redshift builds the whole project through the stand-in, and as it should."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

import pytest
import yaml

from loaders.errors import BuildFailed
from tests.project.both import Both
from tests.project.desk import ROOT, UNTESTED
from tests.standin.driver import execute
from tests.standin.faults import Faults

# Models that claim events, whose hooks and statements must be one transaction.
CLAIMING = (
    "int_measurements__normalized", "fact_measurements", "quarantined_measurements", "dim_time",
    "dim_sensors", "measurement_anomalies",
    "daily_measurement_summary", "monthly_measurement_summary", "snap_experiments",
    "snap_locations", "int_sales__changes", "int_products__changes", "int_customers__changes",
    "fact_sales", "quarantined_sales", "quarantined_products", "quarantined_customers",
    "sales_by_region_monthly", "int_orders__changes", "int_users__changes",
    "int_order_lines__parsed", "fact_orders", "fact_order_lines", "quarantined_orders",
    "quarantined_order_lines", "quarantined_users", "measurement_distributions",
    "daily_fact_counts",
)  # fmt: skip
SENT = re.compile(r"On (?:model|snapshot)\.research_warehouse\.(\w+): (?:/\*.*?\*/\s*)?(\w+ ?\w*)")
LAYOUT = {
    "dim_customers": ["ALL", "customer_id"],
    "dim_date": ["ALL", "date_key"],
    "dim_experiments": ["ALL", "experiment_id"],
    "dim_locations": ["ALL", "location_id"],
    "dim_products": ["ALL", "product_id"],
    "dim_sensors": ["ALL", "sensor_id"],
    "measurement_anomalies": ["EVEN", "sensor_id"],
    "dim_time": ["ALL", "time_key"],
    "fact_measurements": ["KEY(experiment_id)", "measured_at"],
    "quarantined_measurements": ["EVEN", "measurement_key"],
    "daily_measurement_summary": ["KEY(experiment_id)", "measured_date"],
    "monthly_measurement_summary": ["KEY(experiment_id)", "month"],
    "monthly_temperature_summary": ["EVEN", "month"],
    "measurement_distributions": ["EVEN", "measured_date"],
    "daily_fact_counts": ["EVEN", "day"],
    "data_quality_daily": ["EVEN", "day"],
    "dim_users": ["ALL", "user_id"],
    "fact_orders": ["KEY(user_id)", "ordered_at"],
    "fact_order_lines": ["KEY(order_key)", "ordered_at"],
    "quarantined_orders": ["EVEN", "order_key"],
    "quarantined_order_lines": ["EVEN", "order_line_key"],
    "quarantined_users": ["EVEN", "change_key"],
    "fact_sales": ["KEY(customer_id)", "sold_at"],
    "quarantined_customers": ["EVEN", "change_key"],
    "quarantined_products": ["EVEN", "change_key"],
    "quarantined_sales": ["EVEN", "sale_key"],
    "sales_by_region_monthly": ["EVEN", "month"],
    "dim_papers": ["KEY(paper_key)", "paper_key"],
    "bridge_paper_authors": ["KEY(paper_key)", "paper_key"],
    "bridge_paper_keywords": ["KEY(paper_key)", "paper_key"],
    "paper_data_files": ["KEY(paper_key)", "paper_key"],
    "quarantined_papers": ["EVEN", "paper_key"],
    "dim_variables": ["ALL", "variable_key"],
    "fact_observations": ["KEY(experiment_id)", "observed_at"],
    "hpc_files": ["ALL", "file_key"],
    "quarantined_observations": ["EVEN", "file_key"],
}


@pytest.fixture(scope="session")
def catalog(both: Both) -> dict[str, Any]:
    """Run `dbt docs generate` and return its nodes by name."""
    both.desk.invoke("docs", "generate")
    found = json.loads((both.desk.place / "target" / "catalog.json").read_text())
    assert found["errors"] is None
    return {name.split(".")[2]: node for name, node in found["nodes"].items()}


def test_a_build_without_news_changes_nothing_and_keeps_grants(both: Both) -> None:
    with both.desk.standin.connect() as connection:
        connection.autocommit = True
        execute(
            connection,
            "create user mart_reader password disable",
            "grant select on all tables in schema research_warehouse to mart_reader",
        )
    before = both.now()
    both.desk.invoke("build")  # with dbt's tests
    assert both.now() == before
    readable = both.desk.rows(
        "select relation_name from svv_relation_privileges where identity_name = 'mart_reader'"
    )
    assert set(LAYOUT) <= {name for (name,) in readable}


def test_a_full_refresh_gives_the_same_marts(both: Both) -> None:
    before = both.now()
    both.desk.invoke("build", "--full-refresh", *UNTESTED)
    assert both.now() == before


def test_a_snapshot_without_news_changes_nothing(both: Both) -> None:
    versions = "select count(*) from snapshots.snap_experiments"
    before = both.desk.rows(versions)
    both.desk.invoke("snapshot")
    assert both.desk.rows(versions) == before


def test_sources_are_fresh(both: Both) -> None:
    both.desk.invoke("source", "freshness")


@pytest.mark.parametrize("node", CLAIMING)
def test_claim_and_rows_are_one_transaction(both: Both, node: str) -> None:
    """The lock comes first, before Redshift takes the snapshot that the transaction reads."""
    transactions = [t for t in sent(both.desk.log)[node] if any("lock" in word for word in t)]
    assert len(transactions) >= 2  # each build claims, with or without news
    for words in transactions:
        assert words[:2] == ["BEGIN", "lock table"]
        assert words.count("BEGIN") == 1
        assert words[-1] == "COMMIT"
        assert "insert into" in words
    assert any("delete from" in words for words in transactions) or "snap" in node


def sent(log: str) -> dict[str, list[list[str]]]:
    """Return, by node, the transactions as the first words of their statements."""
    transactions: dict[str, list[list[str]]] = defaultdict(list)
    for node, words in SENT.findall(log):
        if words == "BEGIN" or not transactions[node]:
            transactions[node].append([])
        if transactions[node][-1][-1:] != ["COMMIT"]:  # dbt logs each COMMIT twice
            transactions[node][-1].append(words)
    return transactions


def test_tables_lie_as_the_models_say(both: Both) -> None:
    found = both.desk.rows(
        'select "table", diststyle, sortkey1 from svv_table_info '
        "where schema = 'research_warehouse' and \"table\" not like 'mv_tbl%'"
    )
    assert {table: rest for table, *rest in found} == LAYOUT


def test_what_reads_raw_is_bound_late(catalog: dict[str, Any]) -> None:
    types = {name: node["metadata"]["type"] for name, node in catalog.items()}
    staged = {name for name in types if name.startswith(("stg_", "int_"))}
    tables = {
        file.stem
        for file in (ROOT / "models/intermediate").rglob("*.sql")
        if "materialized='incremental'" in file.read_text()
    }
    assert {types[name] for name in tables} == {"BASE TABLE"}
    assert {types[name] for name in staged - tables} == {"LATE BINDING VIEW"}
    assert types["monthly_temperature_summary"] == "MATERIALIZED VIEW"
    assert list(catalog["stg_research_db__locations"]["columns"])[:2] == [
        "location_id", "location_name",
    ]  # fmt: skip


def test_a_raw_table_can_be_replaced_below_its_views(both: Both) -> None:
    """What `bind: false` is for: a bound view would refuse the drop, or go with it."""
    staged = "select count(*) from staging.stg_research_db__researchers"
    before = both.desk.rows(staged)
    assert before != [[0]]
    with both.desk.standin.connect() as connection:
        execute(
            connection,
            "create table raw_research_db.other (like raw_research_db.researchers)",
            "insert into raw_research_db.other select * from raw_research_db.researchers",
            "drop table raw_research_db.researchers",
            "alter table raw_research_db.other rename to researchers",
        )
        connection.commit()
    assert both.desk.rows(staged) == before


@pytest.mark.parametrize("fault", ["error_1023", "drop_before"])
def test_a_model_that_fails_at_its_insert_leaves_all_as_it_was(
    both: Both, faults: Faults, fault: str
) -> None:
    """Its claim, and the rows that its hook has deleted, come back with the transaction."""
    facts = (
        "select measurement_key, experiment_key, temperature "
        "from research_warehouse.fact_measurements order by 1"
    )
    applied = "select count(*) from ledger.applied where model = 'fact_measurements'"
    both.desk.standin.admin(
        "delete from ledger.applied where model = 'fact_measurements' and event_id = "
        "(select min(event_id) from ledger.applied where model = 'fact_measurements')"
    )
    before = both.desk.rows(facts), both.desk.rows(applied)
    getattr(faults, fault)(r'insert into "dev"\."research_warehouse"\."fact_measurements"')
    with pytest.raises(BuildFailed, match="fact_measurements"):
        both.desk.invoke("run", "--select", "fact_measurements")
    assert (both.desk.rows(facts), both.desk.rows(applied)) == before
    both.desk.invoke("run", "--select", "fact_measurements")
    ((count,),) = before[1]
    assert (both.desk.rows(facts), both.desk.rows(applied)) == (before[0], [[count + 1]])


def test_the_example_profile_keeps_a_model_one_transaction() -> None:
    """An autocommitted or singly repeated statement would be an insert without its delete."""
    profile = yaml.safe_load((ROOT / "profiles.example.yml").read_text())
    outputs = profile["research_warehouse"]["outputs"].values()
    found = [output for output in outputs if output["type"] == "redshift"]
    assert len(found) == 3
    for output in found:
        assert (output["retries"], output["sslmode"]) == (0, "verify-full")
    project = yaml.safe_load((ROOT / "dbt_project.yml").read_text())
    assert "redshift_skip_autocommit_transaction_statements" not in project["flags"]
