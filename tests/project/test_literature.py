"""Papers: what mongoexport wrote becomes the marts, by an oracle, whatever the order."""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from loaders.demo.nycflights13 import StagedObject
from tests.project import awkward_objects, literature_objects
from tests.project.both import Both
from tests.project.desk import Desk
from tests.project.literature_objects import awkward, export, full, paper, written
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
    return Warehouse(dict(keys), loaded_of(objects))


def loaded_of(objects: Iterable[StagedObject]) -> dict[str, tuple[str, str]]:
    """Return md5 and table of each file of measurements, by its place."""
    return {
        f"s3://{literature_objects.BUCKET}/{item.key}": (
            hashlib.md5(item.body, usedforsecurity=False).hexdigest(),
            "research_db.measurements",
        )
        for item in objects
        if item.key.startswith("research_db/measurements/")
    }


def found(desk: Desk) -> Marts:
    """Return the rows of the marts of papers, without the columns of the load."""
    columns = desk.rows(
        "select table_name, column_name from information_schema.columns "
        "where table_schema = 'research_warehouse' and left(column_name, 1) <> '_' "
        "order by table_name, ordinal_position"
    )
    names = {mart: [str(name) for table, name in columns if table == mart] for mart in MARTS}
    return {
        mart: desk.rows(f"select {', '.join(listed)} from {mart}")
        for mart, listed in names.items()
        if listed
    }


def counted(rows: Iterable[Any]) -> Counter[tuple[str, ...]]:
    """Return the rows with every value as Python writes it: scale and type show."""
    return Counter(tuple(map(repr, row)) for row in rows)


def compare(actual: Marts, expected: Marts) -> None:
    assert set(actual) == MARTS
    for mart in sorted(MARTS):
        one, other = counted(actual[mart]), counted(expected[mart])
        assert (mart, one - other, other - one) == (mart, {}, {})


LITERATURE = ("--select", "source:literature+", "source:research_db+,+dim_experiments")


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


@pytest.mark.ci
def test_marts_are_a_function_of_the_set_of_exports(empty: Desk) -> None:
    """The same exports in another order, one build each, and one of them loaded anew."""
    desk = empty
    staged = [*literature_objects.first(), *literature_objects.later()]
    by_export: dict[str, list[StagedObject]] = {}
    for item in staged:
        by_export.setdefault(item.key.rpartition("/")[0], []).append(item)
    order = sorted(by_export, reverse=True)
    assert len(order) == 6
    for folder in order:
        stage(desk, by_export[folder])
        if folder == order[1]:
            # The marker is there before the file: complete, with a content that will change.
            papers = written([full(1), full(2, pmid="2")], canonical=True)
            stage(desk, export("20200301T000000Z", papers))
    load_and_build(desk)
    stage(desk, staged)
    load_and_build(desk)
    compare(found(desk), expect(staged, warehouse_of(desk, staged)))


@pytest.mark.parametrize("step", [0, 1], ids=["the first objects", "later ones"])
def test_both_warehouses_equal_the_oracle(both: Both, step: int) -> None:
    staged = list(awkward_objects.first())
    if step:
        staged += awkward_objects.later()
    for marts in (both.postgres[step], both.redshift[step]):
        # (key, id, …, is_current): the dimension itself has its own oracle.
        keys = {
            row[1].strip("'"): int(row[0])
            for row in marts["dim_experiments"]
            if row[-3] == "True"
        }  # fmt: skip
        expected = expect(staged, Warehouse(keys, loaded_of(staged)))
        for mart in sorted(MARTS):
            rows = counted(expected[mart])
            assert (mart, marts[mart] - rows, rows - marts[mart]) == (mart, {}, {})


def stage_export(desk: Desk, time: str, documents: Sequence[Any], **options: Any) -> None:
    stage(desk, export(time, written(documents, canonical=True), **options))


def states(desk: Desk) -> list[tuple[Any, ...]]:
    """Return (title, is_deleted, deleted_at) of the papers."""
    return desk.rows(
        "select title, is_deleted, deleted_at::date::text from dim_papers where paper_key <> -1 "
        "order by paper_id"
    )


@pytest.mark.ci
def test_an_export_that_was_cut_short_or_is_not_complete_changes_nothing(empty: Desk) -> None:
    desk = empty
    stage_export(desk, "20200101T000000Z", [full(1), paper(2)])
    load_and_build(desk)
    before = found(desk)
    whole = written([full(1), paper(2), paper(3)], canonical=True)
    stage(desk, export("20200201T000000Z", whole[: -len(whole) // 4]))  # half a line at its end
    stage(desk, export("20200301T000000Z", whole, complete=False))
    (twice, _) = export(
        "20200401T000000Z", whole + written([full(1, title="Again")], canonical=False)
    )
    stage(desk, [twice, StagedObject(twice.key.rpartition("/")[0] + "/_SUCCESS", b"")])
    (cut, _) = export("20200501T000000Z", whole)
    stage(desk, [StagedObject(cut.key, cut.body[:-20]),
                 StagedObject(cut.key.rpartition("/")[0] + "/_SUCCESS", b"")])  # fmt: skip
    result = desk.load()
    assert [(file.key.split("=")[1][:8], file.reason) for file in result.refused] == [
        ("20200201", "not_json"), ("20200401", "duplicate_key"), ("20200501", "gzip_truncated"),
    ]  # fmt: skip
    assert [export.export_key[-17:-1] for export in result.waiting] == ["20200301T000000Z"]
    desk.build(*LITERATURE)
    assert found(desk) == before
    assert gzip.decompress(twice.body).count(b"\n") == 4


@pytest.mark.ci
def test_a_paper_that_vanishes_stays_with_its_last_state_until_it_comes_back(empty: Desk) -> None:
    desk = empty
    stage_export(desk, "20200101T000000Z", [paper(1), paper(2), paper(3)])
    stage_export(desk, "20200201T000000Z", [paper(1), paper(2, title="Two")])
    stage_export(desk, "20200401T000000Z", [paper(1)])
    load_and_build(desk)
    assert states(desk) == [
        ("Paper 1", False, None), ("Two", True, "2020-04-01"), ("Paper 3", True, "2020-02-01"),
    ]  # fmt: skip
    # Late: then it vanished later. And one that is not fit any more is quarantined only.
    stage_export(desk, "20200301T000000Z", [paper(1), paper(3, title="Late")])
    stage_export(desk, "20200501T000000Z", [paper(1, title=None), paper(2, title="Back")])
    load_and_build(desk)
    assert states(desk) == [("Back", False, None), ("Late", True, "2020-04-01")]
    assert desk.rows("select quarantine_reasons, is_deleted from quarantined_papers") == [
        ("missing_title", False)
    ]
    # Late, and older than all: of what it has only the paper that came in no other one counts.
    stage_export(desk, "20191201T000000Z", [paper(at, title="Old") for at in (1, 2, 3, 4)])
    load_and_build(desk)
    assert states(desk) == [
        ("Back", False, None), ("Late", True, "2020-04-01"), ("Old", True, "2020-01-01"),
    ]  # fmt: skip
    # Withdrawn: as if it had never been.
    desk.execute(
        "insert into ledger.events (event_id, batch_id, source_table, event, recorded_at) select "
        "nextval('ledger.event_id'), batch_id, source_table, 'superseded', '2020-01-01' "
        "from ledger.batches where version_at in ('2020-05-01', '2019-12-01')"
    )
    desk.build(*LITERATURE)
    assert states(desk) == [
        ("Paper 1", False, None), ("Two", True, "2020-03-01"), ("Late", True, "2020-04-01"),
    ]  # fmt: skip


@pytest.mark.ci
def test_nothing_is_written_where_nothing_changed(empty: Desk) -> None:
    desk = empty
    stage_export(desk, "20200101T000000Z", awkward())
    load_and_build(desk)
    rows = " union all ".join(f"select '{mart}', xmin::text, ctid::text from {mart}" for mart in
                              sorted(MARTS - {"quarantined_papers"}))  # fmt: skip
    before = sorted(desk.rows(rows))
    stage(desk, export("20200201T000000Z", written(awkward(), canonical=False)))
    load_and_build(desk)
    assert sorted(desk.rows(rows)) == before


def test_an_hpc_file_is_matched_by_its_place_and_sha256(empty: Desk) -> None:
    desk = empty
    digest, bucket = "ab" * 32, literature_objects.BUCKET
    columns = "experiment_id, file_id, file_name, archive_bucket, archive_key, _batch_id"
    desk.execute(
        f"insert into raw_hpc.files ({columns}) "
        f"values ('e1', '{digest}', 'a.nc', '{bucket}', 'archive/a.nc', 1)"
    )
    place = f"s3://{bucket}/archive/a.nc"
    sums = [("SHA256", digest.upper()), ("sha256", "0" * 64), ("md5", "0" * 32)]
    files = [{"location": place, "checksum": {"algorithm": a, "value": v}} for a, v in sums]
    stage_export(desk, "20200101T000000Z", [paper(1, data_files=files)])
    load_and_build(desk)
    assert desk.rows(
        "select staged_state, staged_source_table, hpc_file_id from paper_data_files order by 1"
    ) == [
        ("checksum_differs", None, None),
        ("checksum_unknown", None, None),
        ("verified", "hpc.files", digest),
    ]
