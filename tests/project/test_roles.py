"""Loader, dbt and readers do their work as the roles that `warehouse setup` grants, and no more."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from loaders.alerts import Topic, new_breaches, publish
from loaders.history import recent_runs, table_status
from loaders.load_run import make_plan
from loaders.quality import Breach, recent_quality
from loaders.rejects import refused_files, requeue
from loaders.schema_history import observe_columns
from loaders.warehouse.redshift import RedshiftWarehouse
from loaders.warehouse.roles import set_up_roles
from tests.project import awkward_objects
from tests.project.sites import Site

MARTS = (
    "dim_date", "dim_experiments", "dim_locations", "dim_sensors", "dim_time", "fact_measurements",
    "measurement_anomalies",
    "quarantined_measurements", "daily_measurement_summary", "monthly_measurement_summary",
    "monthly_temperature_summary", "dim_papers", "bridge_paper_authors", "bridge_paper_keywords",
    "paper_data_files", "quarantined_papers", "fact_sales", "dim_products", "dim_customers",
    "quarantined_sales", "quarantined_products", "quarantined_customers",
    "sales_by_region_monthly", "fact_orders", "fact_order_lines", "dim_users",
    "quarantined_orders", "quarantined_order_lines", "quarantined_users",
    "measurement_distributions", "daily_fact_counts", "data_quality_daily", "batch_lineage",
)  # fmt: skip
FACTS = "research_warehouse.fact_measurements"
RAW = "raw_research_db.measurements"
READS_NOBODY_ELSE_MAY = (
    f"select * from {RAW}",
    "select * from ledger.files",
    "select * from ledger.rejected_rows",
    "select * from staging.stg_research_db__measurements",
    "select * from intermediate.int_measurements__normalized",
    "select * from snapshots.snap_experiments",
    "select * from access.experiment_access",
)
BREACH = Breach(
    "id", "s.t", date(2020, 1, 2), "volume", "rows_loaded", Decimal(1), Decimal(2), None, "low"
)
EXTRA = "research_db/measurements/extra-{}.csv"


class Deaf:
    """A topic's client that tells nobody."""

    def publish(self, **_: Any) -> dict[str, str]:
        """See boto3."""
        return {"MessageId": "0"}


def test_the_loader_can_do_all_that_its_commands_do(site: Site) -> None:
    bad = EXTRA.format(uuid.uuid4())
    with site.staged(bad, 'measurement_id\n"'):
        assert [file.key for file in site.load().refused] == [bad]
    with site.loader.warehouse() as warehouse:
        plan = make_plan(site.loader.contracts, warehouse, site.loader.staging)
        assert plan.bucket
        staged = [item.key for item in awkward_objects.first()]
        loaded = {table.source_table for table in table_status(warehouse)}
        mine = {
            contract.name
            for contract in site.loader.contracts
            if any(key.startswith(contract.load.path) for key in staged)
        }
        # Two tables share a path: full exports, and incremental ones, of which there is none yet.
        assert mine - {"sensors.readings_changes"} <= loaded <= mine
        assert recent_runs(warehouse)
        assert [file.key for file in refused_files(warehouse)] == [bad]
        assert requeue(warehouse, "research_db.measurements", plan.bucket, bad) == 2
        assert recent_quality(warehouse) is not None
        assert observe_columns(warehouse, site.loader.contracts) == 0
        publish(warehouse, [BREACH], Topic(Deaf(), "a topic"))
        assert new_breaches(warehouse, [BREACH], "a topic") == []


def test_the_loader_cannot_touch_marts_or_read_what_was_rejected(site: Site) -> None:
    site.people.denied(
        "the_loader",
        f"select * from {FACTS}",
        f"insert into {FACTS} (measurement_id) values ('x')",
        f"delete from {FACTS}",
        "select * from staging.stg_research_db__measurements",
        "select * from ledger.rejected_rows",
        "select * from ledger.applied",
        "select * from research_warehouse.batch_lineage",
        "delete from research_warehouse.data_quality_daily",
        "delete from ledger.alerts",
        "delete from ledger.batches",
        "delete from ledger.events",
        f"delete from {RAW}",
        f"update {RAW} set measurement_id = 'x'",
        "create table raw_research_db.mine (a int)",
        "create table research_warehouse.mine (a int)",
        "create schema mine",
        "select * from access.experiment_access",
    )


def test_dbt_cannot_write_what_the_loader_writes(site: Site) -> None:
    site.people.denied(
        "the_builder",
        f"insert into {RAW} (measurement_id, _batch_id) values ('x', 1)",
        f"delete from {RAW}",
        f"drop table {RAW}",
        "create table raw_research_db.mine (a int)",
        "delete from ledger.files",
        "select * from ledger.rejected_rows",
        "delete from ledger.events",
        "update ledger.batches set rows_loaded = 0",
        "delete from ledger.builds",
        "insert into access.experiment_access values ('ada', 'exp-jfk')",
        "insert into access.mart_readers values ('public', 'open')",
        "create schema mine",
    )
    assert site.people.rows("the_builder", f"select count(*) > 0 from {RAW}")[0][0] in (True, "t")


@pytest.mark.parametrize("mart", MARTS)
def test_readers_read_every_mart(site: Site, mart: str) -> None:
    ((count,),) = site.people.rows("the_reader", f"select count(*) from research_warehouse.{mart}")
    assert count > 0


def test_readers_read_nothing_else_and_write_nothing(site: Site) -> None:
    site.people.denied("the_reader", *READS_NOBODY_ELSE_MAY)
    site.people.denied(
        "the_reader",
        f"insert into {FACTS} (measurement_id) values ('x')",
        f"update {FACTS} set temperature = 0",
        f"delete from {FACTS}",
        f"drop table {FACTS}",
        "refresh materialized view research_warehouse.monthly_temperature_summary",
        "create table research_warehouse.mine (a int)",
        "insert into ledger.runs (run_id) values ('x')",
        f"insert into {RAW} (measurement_id, _batch_id) values ('x', 1)",
    )


def test_administrators_see_what_was_rejected_and_decide_who_sees_what(site: Site) -> None:
    people = site.people
    assert people.rows("the_admin", f"select count(*) from {FACTS}")[0][0] > 0
    assert people.rows("the_admin", "select count(*) from ledger.rejected_rows")[0][0] > 0
    people.rows("the_admin", "insert into access.experiment_access values ('x', 'y')")
    people.rows("the_admin", "delete from access.experiment_access where user_name = 'x'")
    people.denied("the_admin", f"delete from {RAW}", "drop table ledger.files", "create schema x")


def test_writers_have_what_loading_and_building_need(site: Site) -> None:
    people = site.people
    people.rows("the_writer", "select count(*) from ledger.files, ledger.applied where 1 = 0")
    people.rows("the_writer", f"insert into {RAW} (measurement_id, _batch_id) select 'x', 1 "
                "where 1 = 0")  # fmt: skip
    people.denied("the_writer", "select * from ledger.rejected_rows", f"delete from {RAW}")


def test_setting_up_again_is_allowed_and_changes_nothing(site: Site) -> None:
    before = _privileges(site)
    with site.owner.warehouse() as warehouse:
        assert set_up_roles(warehouse, site.owner.contracts) == []
    assert _privileges(site) == before
    assert before


def _privileges(site: Site) -> list[tuple[Any, ...]]:
    with site.owner.warehouse() as warehouse:
        grants = (
            "select namespace_name, relation_name, privilege_type, identity_name "
            "from svv_relation_privileges"
            if isinstance(warehouse, RedshiftWarehouse)
            else "select n.nspname, c.relname, a.privilege_type, a.grantee::regrole::text "
            "from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(relacl) a"
        )
        return sorted(warehouse.fetch(grants))
