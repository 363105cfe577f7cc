"""What MetricFlow sends for a question about metrics, on either engine. No connection."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from dbt.contracts.graph.semantic_manifest import SemanticManifest
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlClient, SqlEngine
from metricflow.sql.render.postgres import PostgresSQLSqlPlanRenderer
from metricflow.sql.render.redshift import RedshiftSqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import (
    parse_manifest_from_dbt_generated_manifest,
)
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

from loaders.dbt_runner import Dbt

_ENGINES = {
    "postgres": (SqlEngine.POSTGRES, PostgresSQLSqlPlanRenderer()),
    "redshift": (SqlEngine.REDSHIFT, RedshiftSqlPlanRenderer()),
}


def semantic_manifest(dbt: Dbt, to: Path) -> Path:
    """Write what MetricFlow reads of the project, as dbt has parsed it; return the file."""
    dbt.query("select 1")  # it has parsed the project then
    assert dbt.manifest is not None
    to.parent.mkdir(exist_ok=True)
    SemanticManifest(dbt.manifest).write_json_to_file(str(to))
    return to


def metric_sql(manifest: Path, metrics: str, group_by: str, engine: str = "postgres") -> str:
    """Return the SQL for metrics by groups, names with commas between as `mf query` takes them.

    Its columns are the groups, then the metrics.
    """
    kind, renderer = _ENGINES[engine]
    client = SimpleNamespace(sql_engine_type=kind, sql_plan_renderer=renderer)
    asked = MetricFlowQueryRequest.create(
        metric_names=metrics.split(","), group_by_names=group_by.split(",")
    )
    plan = MetricFlowEngine(_lookup(manifest), cast(SqlClient, client)).explain(asked)
    sql = plan.sql_statement.without_descriptions.sql
    return f"select {group_by}, {metrics} from ({sql}) as answer"


@cache
def _lookup(manifest: Path) -> SemanticManifestLookup:
    parsed = parse_manifest_from_dbt_generated_manifest(manifest.read_text())
    return SemanticManifestLookup(parsed)
