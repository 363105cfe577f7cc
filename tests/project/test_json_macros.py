"""The macros that read JSON documents give the same on both warehouses."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from loaders.dbt_runner import Dbt
from loaders.demo.dynamodb import Change, incremental_export
from loaders.embedded.postgres import EmbeddedPostgres
from loaders.errors import BuildFailed
from loaders.project import Project
from tests.project.desk import ROOT
from tests.project.people import PASSWORD
from tests.standin.driver import execute
from tests.standin.server import StandIn

SETTING = "enable_case_sensitive_super_attribute"
Query = Callable[[str], list[tuple[Any, ...]]]


def encoded(value: Any) -> Any:
    """Return an attribute as DynamoDB's exports have it."""
    line = incremental_export("", "x", [Change({"v": value}, AT, None, None)], AT, AT)
    (body,) = (body for key, body in line.items() if key.endswith(".gz"))
    return json.loads(gzip.decompress(body))["Keys"]["v"]


AT = datetime(2020, 1, 1)
DOCUMENTS: tuple[dict[str, Any], ...] = (
    {"Item": {"sensor": {"S": "a"}, "temp": {"N": "0.12345678901234567890123456789012345678"}},
     "_id": {"$oid": "5f", "$numberLong": "7"}, "new": 1, "flag": True, "rate": 1.5,
     "lines": [{"Sku": "x", "tags": {"L": [{"S": "p"}, {"S": "q"}]}}, {"Sku": "y"}],
     "plain": [3, "z"]},
    {"Item": {"sensor": None}, "item": {"sensor": {"S": "folded"}}, "flag": False, "lines": []},
    {"Item": "text", "lines": {"Sku": "no array"}, "new": {}, "rate": []},
    {"All": {name: encoded(value) for name, value in {
        "text": "Ünï", "digits": Decimal("-1.2345678901234567890123456789012345678"),
        "large": Decimal("1E+37"), "yes": True, "no": False, "nothing": None, "bytes": b"\0\xff",
        "list": [Decimal(1), "x", {"deep": Decimal(1)}], "map": {"Deep": {"er": Decimal(7)}},
        "set": {"a", "b"}, "numbers": {Decimal(1), Decimal("2.5")}, "binaries": {b"\1"},
    }.items()}},
)  # fmt: skip


@pytest.fixture(scope="module", params=["postgres", pytest.param("redshift", marks=pytest.mark.ci)])
def query(request: pytest.FixtureRequest) -> Query:
    """Run a query in dbt's SQL on either target, over `documents (id, document)`."""
    found: Query = request.getfixturevalue(f"{request.param}_query")
    return found


def _project(place: Path, target: str) -> Project:
    return Project.open(ROOT, target, place)


@pytest.fixture(scope="module")
def postgres_query(
    postgres: EmbeddedPostgres, dbt_environment: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Query]:
    place = tmp_path_factory.mktemp("json")
    profile = yaml.safe_load((dbt_environment / "profiles.yml").read_text())
    outputs = profile["research_warehouse"]["outputs"]
    outputs["test"]["dbname"] = "postgres"
    (place / "profiles.yml").write_text(yaml.safe_dump(profile))
    name = f"documents_{uuid.uuid4().hex}"
    with psycopg.connect(
        host=postgres.host, port=postgres.port, user=postgres.superuser,
        password=postgres.password, dbname="postgres", autocommit=True,
    ) as connection:  # fmt: skip
        connection.execute(f"create table public.{name} (id integer, document jsonb)".encode())
        for at, document in enumerate(DOCUMENTS):
            insert = f"insert into public.{name} values (%s, %s::jsonb)"
            connection.execute(insert.encode(), (at, json.dumps(document)))
        dbt = Dbt(_project(place, "test").settings, quiet=True)
        yield lambda sql: dbt.query(sql.replace("documents", f"public.{name}"))
        connection.execute(f"drop table public.{name}".encode())


@pytest.fixture(scope="module")
def redshift_place(
    standin: StandIn, redshift_profile: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Give a profile whose user is `json_reader`, with nothing set for it."""
    place = tmp_path_factory.mktemp("json")
    profile = yaml.safe_load((redshift_profile / "profiles.yml").read_text())
    profile["research_warehouse"]["outputs"]["redshift"] |= {
        "user": "json_reader",
        "schema": "json_reader",
    }
    (place / "profiles.yml").write_text(yaml.safe_dump(profile))
    with standin.connect() as connection:
        connection.autocommit = True
        execute(
            connection,
            f"create user json_reader password '{PASSWORD}'",
            "create table public.json_documents (id integer, document super)",
            "grant select on public.json_documents to json_reader",
            f"grant create on database {standin.database} to json_reader",
        )
        for at, document in enumerate(DOCUMENTS):
            text = json.dumps(document)
            insert = f"insert into public.json_documents select {at}, json_parse('{text}')"
            execute(connection, insert)
    return place


@pytest.fixture(scope="module")
def redshift_query(
    standin: StandIn, redshift_place: Path, dbt_environment: Path
) -> Iterator[Query]:
    dbt = Dbt(_project(redshift_place, "redshift").settings, quiet=True)
    with standin.connect() as connection:
        connection.autocommit = True
        execute(connection, f"alter user json_reader set {SETTING} to true")
        yield lambda sql: dbt.query(sql.replace("documents", "public.json_documents"))
        execute(connection, f"alter user json_reader reset {SETTING}")


TEXTS = [
    (["Item", "sensor", "S"], ["a", None, None]),
    (["item", "sensor", "S"], [None, "folded", None]),
    (["Item", "temp", "N"], ["0.12345678901234567890123456789012345678", None, None]),
    (["Item", "sensor"], [None, None, None]),  # an object, a JSON null, nothing
    (["Item"], [None, None, "text"]),
    (["_id", "$oid"], ["5f", None, None]),
    (["_id", "$numberLong"], ["7", None, None]),
    (["new"], ["1", None, None]),
    (["flag"], ["true", "false", None]),
    (["rate"], ["1.5", None, None]),
    (["lines"], [None, None, None]),
]


def test_scalars_are_read_as_text(query: Query) -> None:
    columns = ", ".join(
        f"{{{{ json_text('d.document', {path}) }}}} as c{at}" for at, (path, _) in enumerate(TEXTS)
    )
    found = query(f"select {columns} from documents as d order by d.id")
    assert [list(column)[:3] for column in zip(*found, strict=True)] == [
        texts for _, texts in TEXTS
    ]


def test_every_type_of_dynamodb_is_read(query: Query) -> None:
    scalars = ["text", "digits", "large", "yes", "no", "nothing", "bytes", "list", "set", "absent"]
    columns = [
        f"{{{{ dynamodb_text('document', ['All', '{name}']) }}}} as {name}_" for name in scalars
    ]
    columns.append(
        "{{ dynamodb_text('document', ['All', 'map', 'M', 'Deep', 'M', 'er']) }} as deep"
    )
    assert query(f"select {', '.join(columns)} from documents where id = 3") == [
        ("Ünï", "-1.2345678901234567890123456789012345678", "1E+37", "true", "false", None, "AP8=",
         None, None, None, "7")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "read", "elements"),
    [
        (["set", "SS"], "json_text('element', [])", ["a", "b"]),
        (["numbers", "NS"], "json_text('element', [])", ["1", "2.5"]),
        (["binaries", "BS"], "json_text('element', [])", ["AQ=="]),
        (["list", "L"], "dynamodb_text('element', [])", [None, "1", "x"]),
    ],
    ids=["SS", "NS", "BS", "L"],
)
def test_every_set_and_list_of_dynamodb_is_unnested(
    query: Query, path: list[str], read: str, elements: list[str | None]
) -> None:
    found = query(
        f"select {{{{ {read} }}}} as item from documents as d "
        f"{{{{ json_elements('d', 'document', {['All', *path]}, 'element') }}}}"
    )
    assert sorted((item for (item,) in found), key=lambda item: item or "") == elements


def test_something_is_told_from_nothing(query: Query) -> None:
    paths = [["Item", "sensor"], ["Item", "sensor", "S"], ["new"], ["lines"]]
    columns = ", ".join(
        f"case when {{{{ json_exists('document', {path}) }}}} then 1 else 0 end as c{at}"
        for at, path in enumerate(paths)
    )
    found = query(f"select {columns} from documents order by id")
    assert [tuple(map(int, row)) for row in found[:3]] == [
        (1, 1, 1, 1), (1, 0, 0, 1), (0, 0, 1, 1),
    ]  # fmt: skip


def test_arrays_give_a_row_per_element(query: Query) -> None:
    found = query(
        "select d.id, place, {{ json_text('line', ['Sku']) }} as sku from documents as d "
        "{{ json_elements('d', 'document', ['lines'], 'line', 'place') }} order by 1, 2"
    )
    assert [(int(i), int(place), sku) for i, place, sku in found] == [(0, 0, "x"), (0, 1, "y")]
    found = query(
        "select {{ json_text('element', []) }} as text from documents as d "
        "{{ json_elements('d', 'document', ['plain'], 'element') }} order by 1"
    )
    assert found == [("3",), ("z",)]


def test_arrays_inside_elements_unnest_too(query: Query) -> None:
    found = query(
        "select {{ json_text('line', ['Sku']) }} as sku, {{ json_text('tag', ['S']) }} as tag, "
        "spot from documents as d {{ json_elements('d', 'document', ['lines'], 'line') }} "
        "{{ json_elements(none, 'line', ['tags', 'L'], 'tag', 'spot') }} order by 1, 2"
    )
    assert [(sku, tag, int(spot)) for sku, tag, spot in found] == [("x", "p", 0), ("x", "q", 1)]


@pytest.mark.parametrize("name", ["0", "it's"])
def test_a_name_that_is_no_attribute_is_refused(query: Query, name: str) -> None:
    with pytest.raises(BuildFailed, match="Error parsing inline query"):
        query(f"select {{{{ json_text('document', [\"{name}\"]) }}}} from documents")


def test_a_build_of_a_user_who_folds_names_says_what_to_run(
    standin: StandIn, redshift_place: Path, dbt_environment: Path
) -> None:
    dbt = Dbt(_project(redshift_place, "redshift").settings, quiet=True)
    alter = 'alter user "json_reader"'
    with standin.connect() as connection:
        connection.autocommit = True
        execute(connection, f"{alter} reset {SETTING}")
        with pytest.raises(BuildFailed, match=f"{alter} set {SETTING} to true"):
            dbt.invoke("build", "--select", "date_range")
        execute(connection, f"{alter} set {SETTING} to true")
        with pytest.raises(BuildFailed, match="run `warehouse setup"):  # the next check
            dbt.invoke("build", "--select", "date_range")
