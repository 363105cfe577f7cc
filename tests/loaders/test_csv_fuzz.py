"""Fuzzing: whatever a file holds, the scanner yields records or refuses it with a reason.

What it yields must be what Python's own csv module reads in the same bytes, and PostgreSQL's COPY
must make the same records of it. `pytest --hypothesis-show-statistics` counts the files tried.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from test_csv_scanner import Dribble, as_csv, soup, tables

from loaders.formats.csv_form import ENCODINGS, CsvForm
from loaders.formats.csv_scanner import CsvScanner
from loaders.formats.faults import OF_ONE_RECORD, RAW_BYTES, Fault, FileRefused, Reason

COLUMNS = 3  # of the table that COPY fills; files have fewer or as many
SAMPLE = settings(
    max_examples=1000,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
LONG = settings(SAMPLE, max_examples=30_000, derandomize=False)

SPECIAL = st.sampled_from(
    [
        *(b'"', b'""', b",", b";", b"\n", b"\r\n", b"\r", b" ", b"=", b"\\", b"\\.\n"),
        *(b"\0", b"\x1a", b"\x1f\x8b", b"\xff", b"\xc3", b"\xc2\x85", b"\xe2\x80\xa8"),
        *(b"\xef\xbb\xbf", b"x" * 40),
    ]
)


@st.composite
def forms(draw: st.DrawFn) -> CsvForm:
    """Contracts of one to three columns, mostly a plain one."""
    names = [f"c{number}" for number in range(draw(st.integers(1, COLUMNS)))]
    limit = st.sampled_from([None, None, 1, 3])
    columns = {name: draw(limit) for name in names}
    most = st.sampled_from([4096, 4096, 4096, 16])
    if draw(st.integers(0, 2)):
        return CsvForm(columns, max_record_bytes=draw(most))
    return CsvForm(
        columns,
        delimiter=draw(st.sampled_from(",;\t|x ")),
        encoding=draw(st.sampled_from(sorted(ENCODINGS))),
        header=draw(st.booleans()),
        skip_lines=draw(st.integers(0, 2)),
        trailing_delimiter=draw(st.booleans()),
        max_record_bytes=draw(most),
        max_bytes=draw(st.sampled_from([None, 64])),
    )


@st.composite
def files(draw: st.DrawFn, form: CsvForm) -> bytes:
    """Nearly what the form says: the bytes of a file that is right, then damaged."""
    header, line_end = list(form.columns), draw(st.sampled_from(["\n", "\r\n"]))
    tail = form.delimiter * form.trailing_delimiter + line_end
    body = draw(st.one_of(st.just(b""), st.binary(max_size=60), soup))
    if draw(st.integers(0, 3)):
        _, rows = draw(tables())
        rows = [(row * COLUMNS)[: len(header)] for row in rows]
        lines = [as_csv([row], "\n", form.delimiter).decode()[:-1] for row in [header, *rows]]
        text = "?\n" * form.skip_lines + tail.join(lines[not form.header :]) + tail
        body = text.encode(form.codec, "replace") + body * draw(st.booleans())
    content = bytearray(body)
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 4]))):
        at = draw(st.integers(0, len(content)))
        upto = at + draw(st.sampled_from([0, 0, 1, 1, 5]))
        again = bytes(content[at : at + draw(st.integers(0, 30))])
        content[at:upto] = draw(st.one_of(SPECIAL, st.binary(max_size=2), st.just(again)))
    if draw(st.integers(0, 5)):
        return bytes(content)
    packed = bytearray(gzip.compress(bytes(content), mtime=0))
    if draw(st.booleans()):
        packed[draw(st.integers(0, len(packed) - 1))] ^= draw(st.integers(1, 255))
    return bytes(packed[: draw(st.one_of(st.none(), st.integers(2, len(packed))))])


@st.composite
def cases(draw: st.DrawFn) -> tuple[CsvForm, bytes, int, list[int]]:
    """(form, the file's bytes, max_rejects, how the bytes arrive)."""
    form = draw(forms())
    arriving = st.lists(st.integers(1, 40), min_size=1, max_size=3)
    return form, draw(files(form)), draw(st.sampled_from([0, 0, 1, 3])), draw(arriving)


def scanned(case: tuple[CsvForm, bytes, int, list[int]]) -> tuple[CsvScanner, bytes] | Fault:
    """Return what was read, or why nothing was; any other exception is a defect."""
    form, content, max_rejects, arriving = case
    try:
        scanner = CsvScanner(Dribble(content, arriving), form, max_rejects)
        data = b"".join(scanner.chunks())
        event("accepted, some records rejected" if scanner.rejected else "accepted")
        return scanner, data
    except FileRefused as refused:
        event(f"refused: {refused.fault.reason}")
        return refused.fault


def plain(content: bytes) -> bytes:
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


def rows_of(form: CsvForm, content: bytes, rejected: list[Fault]) -> list[list[str]]:
    """Read with Python's csv module what the file holds without the rejected records."""
    for fault in reversed(rejected):
        line_end = "\n".encode(form.codec)
        start, stop = fault.byte_offset, fault.byte_offset + len(fault.raw)
        assert content[start:stop] == fault.raw
        stop = content.find(line_end, stop) + len(line_end) if stop < len(content) else stop
        assert content[start + len(fault.raw) : stop].decode(form.codec) in ("", "\n", "\r\n")
        content = content[:start] + content[stop:]
    text = io.StringIO(content.decode(form.codec).removeprefix("\ufeff"), newline="")
    for _ in range(form.skip_lines):
        while not text.read(1).endswith("\n"):
            pass
    found = list(csv.reader(text, strict=True, delimiter=form.delimiter))[form.header :]
    if form.trailing_delimiter:
        assert all(row[-1] == "" for row in found)
        found = [row[:-1] for row in found]
    return found


def check_fault(fault: Fault, size: int) -> None:
    assert isinstance(fault.reason, Reason)
    assert fault.detail
    assert str(fault).startswith(f"line {fault.line_number} (")
    assert fault.record_number >= 0
    assert fault.line_number >= 1
    assert 0 <= fault.byte_offset <= size
    assert len(fault.raw) <= RAW_BYTES


def check_scan(case: tuple[CsvForm, bytes, int, list[int]]) -> None:
    form, content, max_rejects, _ = case
    outcome = scanned(case)
    if isinstance(outcome, Fault):
        check_fault(outcome, 10**6 if content.startswith(b"\x1f\x8b") else len(content))
        return
    scanner, data = outcome
    assert len(scanner.rejected) <= max_rejects
    for fault in scanner.rejected:
        check_fault(fault, len(plain(content)))
        assert fault.reason in OF_ONE_RECORD
        assert not fault.truncated
    found = rows_of(form, plain(content), scanner.rejected)
    assert list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True)) == found
    assert scanner.records == len(found) + len(scanner.rejected)
    assert scanner.bytes_read == len(plain(content))


@pytest.fixture
def raw(database: dict[str, Any]) -> Iterator[psycopg.Cursor[Any]]:
    """Yield a cursor beside an empty table `raw` with columns c0, c1, c2."""
    with psycopg.connect(**database, autocommit=True) as connection, connection.cursor() as cursor:
        columns = ", ".join(f"c{number} text" for number in range(COLUMNS))
        cursor.execute(f"create temporary table raw (n serial, {columns})".encode())
        yield cursor


def check_copy(raw: psycopg.Cursor[Any], case: tuple[CsvForm, bytes, int, list[int]]) -> None:
    form, content, _, _ = case
    outcome = scanned(case)
    if isinstance(outcome, Fault):
        return
    scanner, data = outcome
    columns = ", ".join(scanner.header)
    statement = f"copy raw ({columns}) from stdin (format csv, force_not_null ({columns}))"
    with raw.copy(statement.encode()) as copy:
        copy.write(data)
    copied = raw.execute(f"select {columns} from raw order by n".encode()).fetchall()
    raw.execute("delete from raw")
    assert copied == [tuple(row) for row in rows_of(form, plain(content), scanner.rejected)]


@given(cases())
@example((CsvForm({"c0": None}), b"c0\r\na\r\nb", 0, [1]))
@example((CsvForm({"c0": None}), b'c0\na"\r', 1, [1]))
@SAMPLE
def test_any_file_is_read_as_python_reads_it_or_refused_with_a_reason(case: Any) -> None:
    check_scan(case)


@given(cases())
@example((CsvForm({"c0": None}), b"c0\r\na\r\nb", 0, [1]))
@example((CsvForm({"c0": None}), b'c0\na"\r', 1, [1]))
@SAMPLE
def test_postgres_makes_of_any_accepted_file_what_python_reads_in_it(raw: Any, case: Any) -> None:
    check_copy(raw, case)


@pytest.mark.slow
@given(cases())
@LONG
def test_many_files_are_read_as_python_reads_them_or_refused(case: Any) -> None:
    check_scan(case)


@pytest.mark.slow
@given(cases())
@LONG
def test_postgres_makes_of_many_accepted_files_what_python_reads(raw: Any, case: Any) -> None:
    check_copy(raw, case)
