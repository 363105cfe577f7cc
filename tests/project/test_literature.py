"""Papers: what mongoexport wrote becomes the marts, by an oracle, whatever the order."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from loaders.demo.nycflights13 import StagedObject
from tests.project import literature_objects
from tests.project.desk import Desk
from tests.project.literature_oracle import Marts, Warehouse, expect

MARTS = {
    "dim_papers", "bridge_paper_authors", "bridge_paper_keywords", "paper_data_files",
    "quarantined_papers",
}  # fmt: skip


def stage(desk: Desk, objects: Iterable[StagedObject]) -> list[StagedObject]:
    found = list(objects)
    for item in found:
        desk.put(item.key, item.body)
    return found


def warehouse_of(desk: Desk, objects: Iterable[StagedObject]) -> Warehouse:
    """Return what papers may point to."""
    keys = desk.rows("select experiment_id, experiment_key from dim_experiments where is_current")
    loaded = {
        f"s3://{literature_objects.BUCKET}/{item.key}": (
            hashlib.md5(item.body, usedforsecurity=False).hexdigest(),
            "research_db.measurements",
        )
        for item in objects
        if item.key.startswith("research_db/measurements/")
    }
    return Warehouse(dict(keys), loaded)


def found(desk: Desk) -> Marts:
    """Return the rows of the marts of papers, without the columns of the load."""
    columns = desk.rows(
        "select c.relname, string_agg(a.attname, ', ' order by a.attnum) from pg_class c "
        "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped "
        "where c.relnamespace = 'research_warehouse'::regnamespace and c.relkind = 'r' "
        "and left(a.attname, 1) <> '_' group by 1"
    )
    return {
        mart: desk.rows(f"select {names} from {mart}") for mart, names in columns if mart in MARTS
    }


def compare(actual: Marts, expected: Marts) -> None:
    def counted(rows: Iterable[Any]) -> Counter[tuple[str, ...]]:
        return Counter(tuple(map(repr, row)) for row in rows)

    assert set(actual) == MARTS
    for mart in sorted(MARTS):
        one, other = counted(actual[mart]), counted(expected[mart])
        assert (mart, one - other, other - one) == (mart, {}, {})


LITERATURE = ("--select", "+path:models/marts/literature")


def load_and_build(desk: Desk) -> None:
    assert desk.load().exit_code == 0
    desk.build(*LITERATURE)


def test_marts_equal_the_oracle_after_each_load_and_a_full_refresh(empty: Desk) -> None:
    desk = empty
    desk.put_experiments("20130101", {"experiment_id": literature_objects.EXPERIMENT})
    staged = stage(desk, literature_objects.first())
    load_and_build(desk)
    compare(found(desk), expect(staged, warehouse_of(desk, staged)))
    staged += stage(desk, literature_objects.later())
    load_and_build(desk)
    expected = expect(staged, warehouse_of(desk, staged))
    compare(found(desk), expected)
    desk.build(*LITERATURE, "--full-refresh")
    compare(found(desk), expected)
