"""Corrected rows and the file they belong to, whatever becomes of it; and other ways back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from either import TARGETS, AnyLab, lab_of, ledger, put
from loading import EXPERIMENTS, MEASUREMENTS, contract_of, export, rows
from test_rejects import CONTENT, ONE, corrected, kept, made, mark, partly
from test_rejects import requeue as requeue_rows_of

from loaders.contracts import Contract
from loaders.errors import UsageError
from loaders.rejects import refused_files, requeue
from loaders.staging.batches import FileOutcome, PlannedFile
from loaders.warehouse.database import ClaimedError

FIXED = f"lab/measurements/1.rows-{mark(CONTENT)}.csv"


@pytest.fixture(params=TARGETS)
def lab(request: pytest.FixtureRequest) -> AnyLab:
    return lab_of(request)


def again(lab: AnyLab, contract: Contract, key: str) -> None:
    """Requeue a file whole."""
    warehouse = lab.connect()
    try:
        requeue(warehouse, contract.name, lab.staging.bucket, key)
    finally:
        warehouse.close()


@pytest.fixture
def contract(lab: AnyLab, tmp_path: Path) -> Contract:
    """Load two files in one batch and the corrected rows of one of them."""
    contract = made(lab, tmp_path, max_rejects=4)
    put(lab, ONE, CONTENT)
    put(lab, "lab/measurements/2.csv", rows("z"))
    lab.load(contract)
    requeue_rows_of(lab, contract, ONE, corrected(tmp_path, rows("b", "d", "e")))
    assert lab.load(contract).rows == 3
    assert lab.live_ids() == ["a", "b", "c", "d", "e", "f", "z"]
    return contract


def test_a_correction_stays_when_its_file_is_loaded_again(
    lab: AnyLab, contract: Contract, tmp_path: Path
) -> None:
    for key in ("lab/measurements/2.csv", ONE):
        again(lab, contract, key)
        assert lab.load(contract).rows == 4
        assert lab.live_ids() == ["a", "b", "c", "d", "e", "f", "z"]
        assert [(file.key, file.corrected_by) for file in partly(lab)] == [(ONE, FIXED)]
        with pytest.raises(UsageError, match="were corrected by"):
            requeue_rows_of(lab, contract, ONE, corrected(tmp_path, rows("b")))
    assert lab.load(contract).files == 0


@pytest.mark.parametrize("policy", ["fail", "replace"])
def test_a_correction_goes_with_the_content_it_corrects_and_comes_back_with_it(
    lab: AnyLab, contract: Contract, tmp_path: Path, policy: str
) -> None:
    changing = contract_of(tmp_path, MEASUREMENTS, max_rejects=4, on_changed_file=policy)
    whole = rows("a", "b", "c", "d", "e", "f")
    for content, ids in ((whole, "abcdefz"), (CONTENT, "abcdefz"), (rows("q"), "qz")):
        put(lab, ONE, content)
        if policy == "fail":
            again(lab, contract, ONE)
        lab.load(changing)
        lab.load(changing)  # the correction of a content that came back
        assert lab.live_ids() == list(ids)
        assert lab.load(changing).files == 0


def test_a_correction_that_went_can_be_made_again(
    lab: AnyLab, contract: Contract, tmp_path: Path
) -> None:
    lab.staging.client.delete_object(Bucket=lab.staging.bucket, Key=FIXED)
    for content in (rows("a"), CONTENT):
        put(lab, ONE, content)
        again(lab, contract, ONE)
        lab.load(contract)
    assert [file.corrected_by for file in partly(lab)] == [None]
    requeue_rows_of(lab, contract, ONE, corrected(tmp_path, rows("b")))
    assert lab.load(contract).rows == 1
    assert lab.live_ids() == ["a", "b", "c", "f", "z"]


def test_a_correction_that_is_staged_when_its_file_changes_is_not_loaded(
    lab: AnyLab, tmp_path: Path
) -> None:
    contract = made(lab, tmp_path, max_rejects=4, on_changed_file="replace")
    put(lab, ONE, CONTENT)
    lab.load(contract)
    requeue_rows_of(lab, contract, ONE, corrected(tmp_path, rows("b")))
    put(lab, ONE, rows("a", "b"))
    assert lab.load(contract).rows == 2
    assert lab.live_ids() == ["a", "b"]


def test_what_was_refused_is_shown_until_the_next_load_has_seen_it_again(
    lab: AnyLab, contract: Contract
) -> None:
    put(lab, "lab/measurements/3.csv", "wrong\n")
    for key in ("lab/measurements/3.csv", ONE):
        lab.load(contract)
        again(lab, contract, key)
        warehouse = lab.connect()
        try:
            assert [file.key for file in refused_files(warehouse)] == ["lab/measurements/3.csv"]
        finally:
            warehouse.close()
        assert [file.key for file in partly(lab)] == [ONE]
        assert len(kept(lab, key=ONE)) == 4


def staged(lab: AnyLab, day: int, ids: str) -> None:
    put(lab, export(day), rows(*ids))
    put(lab, export(day, "_SUCCESS"), "")


def refusals(lab: AnyLab, contract: Contract) -> list[tuple[str, str]]:
    return [(file.key, file.reason) for file in lab.load(contract).refused]


def test_requeueing_a_shrunk_export_lets_that_content_pass_and_no_other(
    lab: AnyLab, tmp_path: Path
) -> None:
    contract = contract_of(tmp_path, EXPERIMENTS)
    lab.setup(contract)
    staged(lab, 1, "abcdefgh")
    assert refusals(lab, contract) == []
    staged(lab, 2, "abc")
    shrunk = [(export(2), "shrunk_export")]
    assert refusals(lab, contract) == shrunk
    again(lab, contract, export(2))
    staged(lab, 2, "a")  # another content, which nobody has looked at
    assert refusals(lab, contract) == shrunk
    again(lab, contract, export(2))
    assert refusals(lab, contract) == []
    assert lab.live_ids("experiments") == ["a", *"abcdefgh"]


@pytest.mark.parametrize(("share", "before", "after"), [(0.7, 10, 3), (0.1, 10, 9), (0.55, 20, 9)])
def test_an_export_may_shrink_by_exactly_what_is_allowed(
    lab: AnyLab, tmp_path: Path, share: float, before: int, after: int
) -> None:
    contract = contract_of(tmp_path, EXPERIMENTS, max_shrink=share)
    lab.setup(contract)
    ids = "abcdefghijklmnopqrst"
    staged(lab, 1, ids[:before])
    staged(lab, 2, ids[: after - 1])
    assert refusals(lab, contract) == [(export(2), "shrunk_export")]
    staged(lab, 2, ids[:after])
    assert refusals(lab, contract) == []


def test_a_refusal_is_recorded_once_whoever_else_records_it(lab: AnyLab, tmp_path: Path) -> None:
    contract = made(lab, tmp_path)
    put(lab, ONE, rows("a"))
    (item,) = lab.staging.list(contract.load.path)
    outcome = FileOutcome(PlannedFile(item, 1, "new"), "refused", reason="changed_file")
    place: tuple[Any, ...] = (contract.name, lab.staging.bucket, [outcome])
    one, other = lab.connect(), lab.connect()
    try:
        one.record_refusals(*place)
        with pytest.raises(ClaimedError):
            other.record_refusals(*place)
    finally:
        one.close()
        other.close()
    assert ledger(lab, "object_key, generation, status", "files") == [(ONE, 1, "refused")]
