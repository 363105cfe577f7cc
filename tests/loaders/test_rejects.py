"""Rejected records on both targets: what is loaded, and what the ledger keeps of the rest."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
from either import TARGETS, AnyLab, lab_of, ledger, put
from loading import EXPERIMENTS, HEADER, MEASUREMENTS, contract_of, export, rows

from loaders.contracts import Contract
from loaders.errors import DataRefused, Transient, UsageError
from loaders.formats.faults import RAW_BYTES
from loaders.ledger import Ledger
from loaders.rejects import (
    PartlyLoaded,
    RejectedRow,
    StagedCorrection,
    partly_loaded_files,
    rejected_rows,
    requeue_rows,
)

ONE = "lab/measurements/1.csv"
LINES = [
    b"a,1,t",
    b"b,1",
    b'c,"two\nlines",t',
    b'"d\xff",1\x1b[2J,t',
    b"e,\0,t",
    b"",
    b"f,1,t",
]
CONTENT = HEADER.encode() + b"\n" + b"\n".join(LINES) + b"\n"
# record, line, byte, reason, raw bytes
REJECTED = [
    (2, 3, 26, "field_count", LINES[1]),
    (4, 6, 46, "invalid_encoding", LINES[3]),
    (5, 7, 59, "nul_byte", LINES[4]),
    (6, 8, 65, "blank_line", LINES[5]),
]


@pytest.fixture(params=TARGETS)
def lab(request: pytest.FixtureRequest) -> AnyLab:
    return lab_of(request)


def made(lab: AnyLab, project: Path, **changes: Any) -> Contract:
    contract = contract_of(project, MEASUREMENTS, **changes)
    lab.setup(contract)
    return contract


def kept(lab: AnyLab, **filters: Any) -> list[RejectedRow]:
    warehouse = lab.connect()
    try:
        return rejected_rows(warehouse, **filters)
    finally:
        warehouse.close()


def places(found: list[RejectedRow]) -> list[tuple[Any, ...]]:
    return sorted(
        (row.record_number, row.line_number, row.byte_offset, row.reason, row.raw) for row in found
    )


@pytest.mark.parametrize("packed", [False, True])
def test_wrong_records_are_left_out_and_kept_as_bytes(
    lab: AnyLab, tmp_path: Path, packed: bool
) -> None:
    contract = made(lab, tmp_path, max_rejects=4)
    put(lab, ONE + ".gz" * packed, gzip.compress(CONTENT) if packed else CONTENT)
    put(lab, "lab/measurements/2.csv", "updated_at,id,value\nt,z,1\nt,y\n")
    result = lab.load(contract)
    assert (result.exit_code, result.files, result.rows) == (0, 2, 4)
    raw = lab.schemas.raw("lab", "measurements").sql
    assert sorted(lab.fetch(f"select id, value, updated_at from {raw}")) == [
        ("a", "1", "t"),
        ("c", "two\nlines", "t"),
        ("f", "1", "t"),
        ("z", "1", "t"),
    ]
    found = kept(lab)
    assert places([row for row in found if row.key.startswith(ONE)]) == REJECTED
    assert places([row for row in found if not row.key.startswith(ONE)]) == [
        (2, 3, 26, "field_count", b"t,y")
    ]
    balance = "status, rows_read, rows_loaded, rows_rejected"
    assert ledger(lab, balance, "files") == [("loaded", 2, 1, 1), ("loaded", 7, 3, 4)]
    assert sum(row[1] for row in ledger(lab, "rows_loaded, rows_rejected", "batches")) == 5
    assert lab.load(contract).skipped == 2
    assert len(kept(lab)) == 5


def test_a_file_with_more_wrong_records_than_allowed_is_refused_whole(
    lab: AnyLab, tmp_path: Path
) -> None:
    contract = made(lab, tmp_path, max_rejects=2)
    put(lab, ONE, CONTENT)
    put(lab, "lab/measurements/2.csv", rows("z"))
    result = lab.load(contract)
    (refused,) = result.refused
    assert (result.exit_code, refused.key, refused.reason) == (1, ONE, "nul_byte")
    assert refused.detail.endswith("value 2; max_rejects 2 is used up")
    assert lab.live_ids() == ["z"]
    assert places(kept(lab, key=ONE)) == REJECTED[:3]


def test_the_bytes_are_those_of_the_file_in_its_own_dialect(lab: AnyLab, tmp_path: Path) -> None:
    dialect = {"delimiter": ";", "encoding": "latin-1", "skip_lines": 1}
    contract = made(lab, tmp_path, max_rejects=1, csv=dialect)
    text = "Köln\nid;value;updated_at\né;1,5;t\nü;1\nö;2;t\n".encode("latin-1")
    put(lab, ONE, text)
    assert lab.load(contract).rows == 2
    assert lab.live_ids() == ["é", "ö"]
    assert places(kept(lab)) == [(2, 4, text.index(b"\xfc"), "field_count", b"\xfc;1")]


def test_only_a_record_that_can_be_kept_whole_is_rejected_by_itself(
    lab: AnyLab, tmp_path: Path
) -> None:
    contract = made(lab, tmp_path, max_rejects=9)
    longest = b"\xff" * (RAW_BYTES - 2) + b",1"
    put(lab, ONE, HEADER.encode() + b"\n" + longest + b"\na,1,t\n")
    put(lab, "lab/measurements/2.csv", HEADER.encode() + b"\nx" + longest + b"\nb,1,t\n")
    (refused,) = lab.load(contract).refused
    assert refused.key == "lab/measurements/2.csv"
    assert refused.detail.endswith(
        f"a record of more than {RAW_BYTES} bytes is not rejected by itself"
    )
    assert lab.live_ids() == ["a"]
    assert [row.raw for row in kept(lab, key=ONE)] == [longest]
    assert [row.raw for row in kept(lab, key=refused.key)] == [(b"x" + longest)[:RAW_BYTES]]


@pytest.mark.parametrize("lost", ["before", "after"])
def test_a_fault_leaves_no_rejects_without_their_rows_and_none_twice(
    lab: AnyLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    contract = made(lab, tmp_path, max_rejects=4)
    put(lab, ONE, CONTENT)
    publish = Ledger.publish
    seen: list[int] = []

    def fail_once(book: Ledger, *arguments: Any) -> None:
        if lost == "after":
            publish(book, *arguments)
        if not seen:
            seen.append(len(kept(lab)))
            raise Transient("the connection is gone")
        if lost == "before":
            publish(book, *arguments)

    monkeypatch.setattr(Ledger, "publish", fail_once)
    assert lab.load(contract).rows == 3
    assert seen == [0]
    assert places(kept(lab)) == REJECTED
    assert lab.live_ids() == ["a", "c", "f"]


def test_a_snapshot_is_all_or_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="max_rejects: not with mode: snapshot"):
        contract_of(tmp_path, EXPERIMENTS, max_rejects=1)


def test_a_wrong_record_of_an_export_refuses_the_export(lab: AnyLab, tmp_path: Path) -> None:
    contract = contract_of(tmp_path, EXPERIMENTS)
    lab.setup(contract)
    put(lab, export(1), rows("a") + "b,1\n")
    put(lab, export(1, "part-1.csv"), rows("c"))
    put(lab, export(1, "_SUCCESS"), "")
    assert lab.load(contract).exit_code == 1
    assert lab.live_ids("experiments") == []


@pytest.mark.parametrize("wrong", [-1, 1001, "3", 0.5, True])
def test_max_rejects_is_a_small_number(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(UsageError, match=r"config\.meta\.load\.max_rejects: Input should be"):
        contract_of(tmp_path, MEASUREMENTS, max_rejects=wrong)


def corrected(tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "corrected.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def mark(content: bytes) -> str:
    """Return what names a content: of its ETag, which is its md5 on S3, the sha256."""
    etag = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return hashlib.sha256(etag.encode()).hexdigest()[:12]


def requeue(lab: AnyLab, contract: Contract, key: str, file: Path) -> StagedCorrection:
    warehouse = lab.connect()
    try:
        return requeue_rows(warehouse, lab.staging, contract, key, file)
    finally:
        warehouse.close()


@pytest.mark.parametrize("packed", [False, True])
def test_corrected_rows_are_loaded_once_and_linked_to_what_they_correct(
    lab: AnyLab, tmp_path: Path, packed: bool
) -> None:
    contract = made(lab, tmp_path, max_rejects=4)
    key = ONE + ".gz" * packed
    content = gzip.compress(CONTENT, mtime=0) if packed else CONTENT
    fixed_key = f"lab/measurements/1.rows-{mark(content)}.csv" + ".gz" * packed
    put(lab, key, content)
    lab.load(contract)
    (file,) = partly(lab)
    assert (file.key, file.rows_loaded, file.rows_rejected, file.corrected_by) == (key, 3, 4, None)
    fixed = corrected(tmp_path, rows("b", "d", "e"))
    for _ in range(2):  # the second time changes nothing
        staged = requeue(lab, contract, key, fixed)
        assert staged == StagedCorrection(fixed_key, key, 3, 4)
    assert {row.corrected_by for row in kept(lab)} == {None}  # staged is not loaded
    assert (lab.load(contract).rows, lab.load(contract).rows) == (3, 0)
    assert lab.live_ids() == ["a", "b", "c", "d", "e", "f"]
    assert {row.corrected_by for row in kept(lab)} == {fixed_key}
    assert places(kept(lab)) == REJECTED
    assert [(row.key, row.corrected_by) for row in partly(lab)] == [(key, fixed_key)]
    with pytest.raises(UsageError, match=f"were corrected by {fixed_key}; requeue that file"):
        requeue(lab, contract, key, fixed)


def partly(lab: AnyLab) -> list[PartlyLoaded]:
    warehouse = lab.connect()
    try:
        return partly_loaded_files(warehouse)
    finally:
        warehouse.close()


def test_a_correction_is_checked_before_it_is_staged(lab: AnyLab, tmp_path: Path) -> None:
    contract = made(lab, tmp_path, max_rejects=4)
    put(lab, ONE, CONTENT)
    put(lab, "lab/measurements/2.csv", rows("z"))
    lab.load(contract)
    with pytest.raises(DataRefused, match=r"corrected\.csv: line 2 .*: field_count: 2 values"):
        requeue(lab, contract, ONE, corrected(tmp_path, f"{HEADER}\nb,1\n"))
    with pytest.raises(UsageError, match=r"holds 5 rows, but 4 of lab/measurements/1\.csv were"):
        requeue(lab, contract, ONE, corrected(tmp_path, rows(*"12345")))
    with pytest.raises(
        UsageError, match=r"2\.csv were rejected: its last generation, 1, is loaded"
    ):
        requeue(lab, contract, "lab/measurements/2.csv", corrected(tmp_path, rows("b")))
    with pytest.raises(UsageError, match=r"3\.csv is not in the ledger"):
        requeue(lab, contract, "lab/measurements/3.csv", corrected(tmp_path, rows("b")))
    narrow = contract_of(tmp_path, MEASUREMENTS, max_rejects=4, files="?.csv")
    with pytest.raises(UsageError, match=r"1\.rows-\w+\.csv would not be loaded: .* '\?\.csv'"):
        requeue(lab, narrow, ONE, corrected(tmp_path, rows("b")))
    assert lab.load(contract).files == 0
    assert lab.live_ids() == ["a", "c", "f", "z"]


def test_a_correction_of_a_packed_file_may_be_plain_and_the_other_way_round(
    lab: AnyLab, tmp_path: Path
) -> None:
    contract = made(lab, tmp_path, max_rejects=4)
    put(lab, ONE, CONTENT)
    lab.load(contract)
    requeue(lab, contract, ONE, corrected(tmp_path, gzip.compress(rows("b").encode())))
    assert lab.load(contract).rows == 1
    assert lab.live_ids() == ["a", "b", "c", "f"]


def test_a_repaired_file_has_no_rejects_any_more(lab: AnyLab, tmp_path: Path) -> None:
    contract = made(lab, tmp_path, max_rejects=4, on_changed_file="replace")
    put(lab, ONE, CONTENT)
    lab.load(contract)
    put(lab, ONE, rows("a", "b"))
    lab.load(contract)
    assert lab.live_ids() == ["a", "b"]
    assert (kept(lab), partly(lab)) == ([], [])


@pytest.mark.parametrize("lab", ["postgres"], indirect=True)
def test_what_the_warehouse_refuses_is_told_without_the_row(lab: AnyLab, tmp_path: Path) -> None:
    contract = made(lab, tmp_path)
    warehouse = lab.connect()
    warehouse.execute("alter table raw_lab.measurements add check (value <> 'classified')")
    warehouse.close()
    put(lab, ONE, f"{HEADER}\na,1,t\nb,classified,t\n")
    (refused,) = lab.load(contract).refused
    assert refused.reason == "refused_by_warehouse"
    assert "violates check constraint" in refused.detail
    assert "COPY measurements, line 2" in refused.detail
    assert "classified" not in refused.detail
