"""Which sources and snapshots a layer may read, and what no SQL may contain. No database.

Names, descriptions, layers of models and materializations are checked by dbt-bouncer.yml.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner

from tests.project.star import PAGE, page_with, picture

PROJECT = Path(__file__).parents[2]
# A profile that is never connected with: parsing asks for one.
PROFILE = """
research_warehouse:
  target: none
  outputs:
    none:
      {type: postgres, host: localhost, port: 1, user: x, password: x, dbname: x, schema: main}
"""
# Folder -> what its models and snapshots may read besides models and seeds (see dbt-bouncer.yml).
# The ledger is open to all that apply its events.
MAY_READ = {
    "staging": {"source ledger"},  # and the source of the model's own folder
    "intermediate": {"snapshots", "source ledger"},
    "snapshots": {"intermediate", "source ledger"},
    "marts": {"source ledger", "source access"},
    "summaries": {"source ledger", "source access"},
    "observability": {"source ledger", "source access"},
    "secure": {"source access"},
}
# Pattern -> why no model, test, analysis or macro may have it (portability's macros aside).
BANNED = {
    r"\btarget\.type\b": "what differs per engine stands in macros/portability",
    r"(?<![\w.])(avg|stddev\w*|var_\w+|variance)\s*\(": "the engines' own differ; state the sums",
    r"\b(median|percentile_cont|listagg|string_agg|array_agg)\s*\(": "not on both engines",
    r"\b(generate_series|unnest|pg_\w+)\s*\(|\blateral\b|\barray\s*\[": "PostgreSQL only",
    r"\bon\s+conflict\b|\bilike\s+any\b|\bdistinct\s+on\b": "PostgreSQL only",
    r"\b(getdate|strtol|try_cast|datediff|dateadd)\s*\(": "Redshift only",
    r"(?<!:)::(?!:)": "spell casts as cast(x as type)",
}
JINJA_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the parsed project."""
    directory = tmp_path_factory.mktemp("parsed")
    (directory / "profiles.yml").write_text(PROFILE)
    places = ["--project-dir", str(PROJECT), "--profiles-dir", str(directory)]
    places += ["--target-path", str(directory), "--log-path", str(directory)]
    result = dbtRunner().invoke(["--quiet", "--warn-error", "--write-json", "parse", *places])
    assert result.success, result.exception
    parsed: dict[str, Any] = json.loads((directory / "manifest.json").read_text())
    return parsed


def layer(node: dict[str, Any]) -> str:
    if node["resource_type"] == "source":
        return f"source {node['source_name']}"
    folder, *rest = Path(node["original_file_path"]).parts
    return rest[0] if folder == "models" else folder


def own_source(node: dict[str, Any]) -> set[str]:
    """Return the source that a model of models/staging/<source> is about."""
    _, *rest = Path(node["original_file_path"]).parts
    return {f"source {rest[1]}"} if rest[0] == "staging" else set()


def test_each_layer_reads_only_what_it_may(manifest: dict[str, Any]) -> None:
    everything = manifest["nodes"] | manifest["sources"]

    def shown(node: dict[str, Any]) -> str:
        return f"{node['name']} ({layer(node)})"

    wrong = [
        f"{shown(node)} reads {shown(everything[parent])}"
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "snapshot")
        for parent in node["depends_on"]["nodes"]
        if "model" != everything[parent]["resource_type"] != "seed" or layer(node) == "snapshots"
        if layer(everything[parent]) not in MAY_READ[layer(node)] | own_source(node)
    ]
    assert wrong == []


def test_every_layer_is_there(manifest: dict[str, Any]) -> None:
    kinds = ("model", "snapshot")
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in kinds]
    assert {layer(node) for node in nodes} == set(MAY_READ)


def sql_files() -> Iterator[Path]:
    for folder in ("models", "macros", "snapshots", "analyses", "tests/dbt"):
        yield from (PROJECT / folder).rglob("*.sql")


def banned_in(sql: str) -> list[str]:
    """Return the reasons why a file must not stand as it is; comments do not count."""
    text = re.sub(r"--[^\n]*", "", JINJA_COMMENT.sub("", sql))
    text = re.sub(r"\bdbt\.\w+\(", "", text)  # dbt's own cross-database macros
    return [why for pattern, why in BANNED.items() if re.search(pattern, text, re.IGNORECASE)]


def test_no_sql_has_what_differs_between_the_engines() -> None:
    files = [path for path in sql_files() if "portability" not in path.parts]
    assert len(files) > 40
    found = {str(path.relative_to(PROJECT)): banned_in(path.read_text()) for path in files}
    assert {path: reasons for path, reasons in found.items() if reasons} == {}


@pytest.mark.parametrize(
    "sql",
    [
        "select avg(x) from t",
        "select stddev_samp (x) from t",
        "{% if target.type == 'redshift' %}",
        "select x::date from t",
        "select * from generate_series(1, 2)",
        "select getdate()",
        "insert into t select 1 on conflict do nothing",
    ],
)
def test_a_banned_construct_is_found(sql: str) -> None:
    assert len(banned_in(sql)) == 1


def test_comments_and_own_macros_are_no_constructs() -> None:
    assert banned_in("{# avg(x) #} select {{ sample_deviation('n') }} -- not stddev(x)") == []


def test_every_dispatched_macro_has_both_bodies() -> None:
    texts = [JINJA_COMMENT.sub("", path.read_text()) for path in sql_files()]
    defined = {name for text in texts for name in re.findall(r"macro (\w+)\(", text)}
    dispatched = {
        name for text in texts for name in re.findall(r"adapter\.dispatch\('(\w+)'", text)
    }
    assert dispatched
    missing = [
        f"{engine}__{name}"
        for name in sorted(dispatched)
        for engine in ("postgres", "redshift")
        if f"{engine}__{name}" not in defined
    ]
    assert missing == []


def test_no_body_is_there_for_one_engine_alone() -> None:
    bodies: dict[str, set[str]] = {}
    for path in sql_files():
        for engine, name in re.findall(r"macro (postgres|redshift)__(\w+)\(", path.read_text()):
            bodies.setdefault(name, set()).add(engine)
    assert {name: engines for name, engines in bodies.items() if len(engines) != 2} == {}


def test_the_picture_of_the_star_is_up_to_date(manifest: dict[str, Any]) -> None:
    """Else draw it: `dbt parse`, then `python -m tests.project.star target/manifest.json`."""
    drawn = picture(manifest)
    assert "fact_measurements -- experiment_key --> dim_experiments" in drawn
    assert PAGE.read_text() == page_with(drawn)


def test_the_overview_is_ours_and_names_what_is_there(manifest: dict[str, Any]) -> None:
    """It is the first page of `dbt docs`."""
    text = manifest["docs"]["doc.research_warehouse.__overview__"]["block_contents"]
    named = set(re.findall(r"`((?:dim|fact|paper|measurement)_\w+|\w+_(?:summary|monthly))`", text))
    assert len(named) > 12
    assert named - {node["name"] for node in manifest["nodes"].values()} == set()
