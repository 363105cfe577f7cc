"""Planning: a pure function of contract, listing and ledger."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loading import EXPERIMENTS, MEASUREMENTS, contract_of, export

from loaders import load_run
from loaders.contracts import Contract
from loaders.ledger import FileRow, LiveBatch, TableState
from loaders.load_run import LISTINGS_AT_ONCE, make_plan
from loaders.staging.batches import BatchLimits
from loaders.staging.corrections import correction_key
from loaders.staging.exports import parse_version
from loaders.staging.objects import StagedObject
from loaders.staging.plan import Place, TablePlan, plan_table, unclaimed
from loaders.warehouse.base import Warehouse

TIME = datetime(2013, 1, 1)
LIMITS = BatchLimits(files=3, bytes=1000)
EMPTY = TableState.of([], [])


def staged(key: str, etag: str = "a", size: int = 100, seconds: int = 0) -> StagedObject:
    return StagedObject(key, etag, size, TIME + timedelta(seconds=seconds))


def measured(name: str, etag: str = "a", size: int = 100) -> StagedObject:
    return staged(f"lab/measurements/{name}", etag, size)


def loaded(name: str, batch: int, etag: str = "a", generation: int = 1) -> FileRow:
    return FileRow(f"lab/measurements/{name}", generation, batch, etag, "loaded")


def other(name: str, status: Any, etag: str, generation: int) -> FileRow:
    return FileRow(f"lab/measurements/{name}", generation, None, etag, status, "reason", "detail")


def plan(
    contract: Contract,
    objects: list[StagedObject],
    state: TableState = EMPTY,
    read: Callable[[StagedObject], bytes] = lambda _: b"",
) -> TablePlan:
    return plan_table(contract, objects, state, Place("staging", "", read), LIMITS)


def groups(planned: TablePlan) -> list[list[tuple[str, int, str]]]:
    """Return (file name, generation, why) of each batch's files."""
    return [
        [(f.object.key.rpartition("/")[2], f.generation, f.why) for f in batch.files]
        for batch in planned.batches
    ]


@pytest.fixture(scope="module")
def measurements(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    return contract_of(tmp_path_factory.mktemp("project"), MEASUREMENTS)


@pytest.fixture
def experiments(tmp_path: Path) -> Contract:
    return contract_of(tmp_path, EXPERIMENTS)


def test_new_files_are_loaded_and_loaded_ones_skipped(measurements: Contract) -> None:
    state = TableState.of([loaded("1.csv", 7)], [LiveBatch(7)])
    planned = plan(measurements, [measured("1.csv"), measured("2.csv"), measured("x.txt")], state)
    assert groups(planned) == [[("2.csv", 1, "new")]]
    assert (planned.skipped, planned.refusals) == (1, ())
    assert planned.ignored == (measured("x.txt").key,)


def test_batches_keep_to_one_compression_and_the_limits(measurements: Contract) -> None:
    names = ["1.csv", "2.csv.gz", "3.csv", "4.csv", "5.csv", "6.csv", "7.csv.gz"]
    planned = plan(measurements, [measured(name) for name in names])
    assert [[name for name, _, _ in group] for group in groups(planned)] == [
        ["1.csv", "3.csv", "4.csv"],
        ["5.csv", "6.csv"],
        ["2.csv.gz", "7.csv.gz"],
    ]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2500)), max_size=20))
def test_grouping_keeps_every_file_once_and_every_limit(
    measurements: Contract, files: list[tuple[bool, int]]
) -> None:
    objects = [
        measured(f"{nr:02}.csv{'.gz' * gz}", size=size) for nr, (gz, size) in enumerate(files)
    ]
    batches = plan(measurements, objects).batches
    assert sorted(f.object for batch in batches for f in batch.files) == sorted(objects)
    for batch in batches:
        assert len(batch.files) == 1 or (len(batch.files) <= 3 and batch.bytes <= 1000)
        assert len({f.object.key.endswith(".gz") for f in batch.files}) == 1


def test_a_changed_file_is_refused_by_default(measurements: Contract) -> None:
    state = TableState.of([loaded("1.csv", 7)], [LiveBatch(7)])
    planned = plan(measurements, [measured("1.csv", "b")], state)
    assert planned.batches == ()
    assert [(f.file.generation, f.reason) for f in planned.refusals] == [(2, "changed_file")]


def test_a_refused_file_stands_until_its_content_changes(measurements: Contract) -> None:
    state = TableState.of([other("1.csv", "refused", "a", 1)], [])
    same, new = plan(measurements, [measured("1.csv")], state), measured("1.csv", "b")
    assert [row.reason for row in same.standing] == ["reason"]
    assert same.batches == ()
    assert groups(plan(measurements, [new], state)) == [[("1.csv", 2, "new")]]


def test_a_refused_change_that_is_put_back_is_as_loaded_before(measurements: Contract) -> None:
    rows = [loaded("1.csv", 7), other("1.csv", "refused", "b", 2)]
    state = TableState.of(rows, [LiveBatch(7)])
    assert plan(measurements, [measured("1.csv", "a")], state).skipped == 1
    assert len(plan(measurements, [measured("1.csv", "b")], state).standing) == 1


def test_the_first_content_again_is_a_new_generation(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS, on_changed_file="replace")
    rows = [loaded("1.csv", 7), loaded("1.csv", 8, "b", 2)]
    planned = plan(contract, [measured("1.csv", "a")], TableState.of(rows, [LiveBatch(8)]))
    assert groups(planned) == [[("1.csv", 3, "changed")]]
    assert planned.batches[0].supersedes == (8,)


def test_append_adds_a_changed_file(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS, on_changed_file="append")
    state = TableState.of([loaded("1.csv", 7)], [LiveBatch(7)])
    planned = plan(contract, [measured("1.csv", "b")], state)
    assert groups(planned) == [[("1.csv", 2, "changed")]]
    assert planned.batches[0].supersedes == ()


def test_files_that_may_be_replaced_have_a_batch_each(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, MEASUREMENTS, on_changed_file="replace")
    planned = plan(contract, [measured("1.csv"), measured("2.csv")])
    assert groups(planned) == [[("1.csv", 1, "new")], [("2.csv", 1, "new")]]


def test_a_requeued_file_takes_its_whole_batch_along(measurements: Contract) -> None:
    rows = [loaded("1.csv", 7), loaded("2.csv", 7), other("1.csv", "requeued", "a", 2)]
    state = TableState.of(rows, [LiveBatch(7)])
    planned = plan(measurements, [measured("1.csv"), measured("2.csv")], state)
    assert groups(planned) == [[("1.csv", 3, "requeued"), ("2.csv", 2, "reloaded")]]
    assert planned.batches[0].supersedes == (7,)
    gone = plan(measurements, [measured("1.csv")], state)
    assert [f.reason for f in gone.refusals] == ["replace_blocked"]
    assert gone.batches == ()


def test_rows_of_a_superseded_batch_do_not_count_as_loaded(measurements: Contract) -> None:
    state = TableState.of([loaded("1.csv", 7)], [])
    assert groups(plan(measurements, [measured("1.csv")], state)) == [[("1.csv", 2, "new")]]


def test_exports_wait_for_their_marker_and_load_oldest_first(experiments: Contract) -> None:
    objects = [
        staged(export(2)),
        staged(export(2, "_SUCCESS")),
        staged(export(1)),
        staged(export(1, "part-1.csv")),
        staged(export(1, "_SUCCESS")),
        staged(export(3)),
    ]
    planned = plan(experiments, objects)
    assert groups(planned) == [
        [("part-0.csv", 1, "new"), ("part-1.csv", 1, "new")],
        [("part-0.csv", 1, "new")],
    ]
    assert [batch.version_at for batch in planned.batches] == [TIME, datetime(2013, 1, 2)]
    assert [(w.export_key, w.missing) for w in planned.waiting] == [
        ("lab/experiments/exported_at=20130103T000000Z/", "_SUCCESS is not there")
    ]


def snapshot_state(batch_id: int, *rows: FileRow) -> TableState:
    key = export(1).removesuffix("part-0.csv")
    return TableState.of(rows, [LiveBatch(batch_id, key, TIME)])


def part(number: int, batch: int | None, etag: str = "a", status: Any = "loaded") -> FileRow:
    return FileRow(export(1, f"part-{number}.csv"), 1, batch, etag, status, "reason", "detail")


@pytest.mark.parametrize("late", [("part-1.csv", "b"), ("part-2.csv", "a")])
def test_a_changed_export_is_loaded_anew_as_a_whole(
    experiments: Contract, late: tuple[str, str]
) -> None:
    state = snapshot_state(5, part(0, 5), part(1, 5))
    names = {"part-0.csv": "a", "part-1.csv": "a", "_SUCCESS": "", late[0]: late[1]}
    planned = plan(experiments, [staged(export(1, n), etag) for n, etag in names.items()], state)
    (batch,) = planned.batches
    assert batch.supersedes == (5,)
    assert [f.why for f in batch.files].count("reloaded") == len(batch.files) - 1


def test_an_export_with_a_refused_file_stands_refused_whole(experiments: Contract) -> None:
    state = TableState.of([part(1, None, "a", "refused")], [])
    names = ["part-0.csv", "part-1.csv", "_SUCCESS"]
    planned = plan(experiments, [staged(export(1, name)) for name in names], state)
    assert (planned.batches, len(planned.standing)) == ((), 1)


@pytest.mark.parametrize(
    ("etag", "reason", "guarded"),
    [("a", "shrunk_export", False), ("a", "duplicate_key", True), ("b", "shrunk_export", True)],
)
def test_only_a_shrunk_export_that_was_requeued_as_it_is_passes_the_guard(
    experiments: Contract, etag: str, reason: str, guarded: bool
) -> None:
    objects = [staged(export(1), etag), staged(export(1, "_SUCCESS"))]
    state = TableState.of([replace(part(0, None, "a", "requeued"), reason=reason)], [])
    assert [batch.guarded for batch in plan(experiments, objects, state).batches] == [guarded]
    assert [batch.guarded for batch in plan(experiments, objects).batches] == [True]


def test_a_file_outside_any_export_is_refused(experiments: Contract) -> None:
    objects = [
        staged("lab/experiments/part-0.csv"),
        staged("lab/experiments/exported_at=yesterday/part-0.csv"),
    ]
    planned = plan(experiments, objects)
    assert [f.reason for f in planned.refusals] == ["no_version", "no_version"]
    assert "'yesterday' in the key is not an ISO 8601 time" in str(planned.refusals[1].detail)


def test_a_count_must_match_exactly(tmp_path: Path) -> None:
    contract = contract_of(tmp_path, EXPERIMENTS, complete_when={"files": 2})
    parts = [staged(export(1, f"part-{nr}.csv")) for nr in range(3)]
    assert plan(contract, parts[:1]).waiting[0].missing == "1 of 2 files are there"
    assert len(plan(contract, parts[:2]).batches) == 1
    assert "3 files are there, the contract expects 2" in plan(contract, parts).waiting[0].missing


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ({"part-0.csv": 100, "part-1.csv": 100}, None),
        ({"part-0.csv": 100}, "part-1.csv of the manifest is not there"),
        ({"part-0.csv": 100, "part-1.csv": 99}, "part-1.csv has 99 bytes, the manifest says 100"),
        ({"part-0.csv": 100, "part-1.csv": 100, "stray.csv": 1}, None),
    ],
)
def test_a_manifest_names_the_files(
    tmp_path: Path, names: dict[str, int], missing: str | None
) -> None:
    contract = contract_of(tmp_path, EXPERIMENTS, complete_when={"manifest": "manifest"})
    content = {
        "entries": [
            {"url": f"s3://staging/{export(1, 'part-0.csv')}"},
            {"url": f"s3://staging/{export(1, 'part-1.csv')}", "meta": {"content_length": 100}},
        ]
    }
    objects = [staged(export(1, name), size=size) for name, size in names.items()]
    objects.append(staged(export(1, "manifest")))
    planned = plan(contract, objects, read=lambda _: json.dumps(content).encode())
    if missing:
        assert planned.waiting[0].missing.endswith(missing)
    else:
        assert [[name for name, _, _ in group] for group in groups(planned)] == [
            ["part-0.csv", "part-1.csv"]
        ]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"entries": [{}]}', b'{"entries": []}'])
def test_an_unreadable_manifest_completes_nothing(tmp_path: Path, content: bytes) -> None:
    contract = contract_of(tmp_path, EXPERIMENTS, complete_when={"manifest": "manifest"})
    objects = [staged(export(1)), staged(export(1, "manifest"))]
    planned = plan(contract, objects, read=lambda _: content)
    assert (len(planned.waiting), planned.batches) == (1, ())


def test_an_overwritten_file_is_an_export_of_its_own(tmp_path: Path) -> None:
    changes = {"version_from": "last_modified", "complete_when": {"files": 1}}
    contract = contract_of(tmp_path, EXPERIMENTS, **changes)
    key = "lab/experiments/all.csv"
    state = TableState.of([FileRow(key, 1, 5, "a", "loaded")], [LiveBatch(5, key, TIME)])
    (batch,) = plan(contract, [staged(key, "b", seconds=60)], state).batches
    assert (batch.version_at, batch.supersedes) == (TIME + timedelta(seconds=60), ())


@given(st.datetimes(min_value=datetime(1000, 1, 1)))
def test_export_times_are_read_in_both_iso_forms(time: datetime) -> None:
    time = time.replace(microsecond=0)
    assert parse_version(time.strftime("%Y%m%dT%H%M%SZ").zfill(16)) == time
    assert parse_version(time.isoformat() + "+00:00") == time


def test_a_correction_of_what_no_longer_counts_is_not_unclaimed(measurements: Contract) -> None:
    state = TableState.of([loaded("1.csv", 7, etag="b", generation=2)], [LiveBatch(7)])
    outdated = correction_key(measured("1.csv").key, "a")
    planned = plan(measurements, [measured("1.csv", etag="b"), staged(outdated)], state)
    assert (planned.batches, planned.skipped, planned.ignored) == ((), 2, ())


def test_what_no_contract_takes_is_told_from_what_another_takes() -> None:
    """Of objects below the paths of several tables, one of them may take each."""

    def table(path: str, *ignored: str) -> TablePlan:
        contract = SimpleNamespace(load=SimpleNamespace(path=path))
        return TablePlan(contract, ignored=ignored)  # type: ignore[arg-type]

    tables = [
        table("lab/", "root/lab/a.parquet", "root/lab/b.txt", "root/lab/deep/c.csv"),
        table("lab/", "root/lab/a.csv", "root/lab/b.txt", "root/lab/deep/c.csv"),
        table("lab/deep/", "root/lab/deep/d.csv"),
        table("other/", "root/other/e.csv"),
    ]
    assert unclaimed(tables, "root/") == ("root/lab/b.txt", "root/other/e.csv")


def test_an_interrupted_plan_does_not_list_what_is_left(
    measurements: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    interrupted = threading.Event()

    def listing(path: str) -> list[StagedObject]:
        begun.append(path)
        if len(begun) > 1:
            interrupted.wait(10)
        return []

    def planning(*_: object) -> TablePlan:
        threading.Timer(0.5, interrupted.set).start()  # when the plan has been given up
        raise KeyboardInterrupt

    monkeypatch.setattr(load_run, "Ledger", lambda _: SimpleNamespace(state=lambda *_: EMPTY))
    monkeypatch.setattr(load_run, "plan_table", planning)
    staging: Any = SimpleNamespace(bucket="staging", root="", read=None, list=listing)
    with pytest.raises(KeyboardInterrupt):
        make_plan([measurements] * 100, cast("Warehouse", SimpleNamespace(limits=LIMITS)), staging)
    assert len(begun) <= 1 + LISTINGS_AT_ONCE
