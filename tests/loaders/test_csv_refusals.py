"""Every reason for which the CSV scanner refuses a file or rejects a record, and what it says."""

from __future__ import annotations

import gzip
import io
import resource
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from loaders.errors import UsageError
from loaders.formats.csv_form import CsvForm
from loaders.formats.csv_scanner import CsvScanner
from loaders.formats.faults import (
    MAX_REJECTED_BYTES,
    OF_ONE_RECORD,
    RAW_BYTES,
    Fault,
    FileRefused,
    Reason,
)

GOOD = b"a,b\n1,2\n"
PACKED = gzip.compress(GOOD, mtime=0)


def refusal(content: bytes, max_rejects: int = 0, **form: Any) -> Fault:
    with pytest.raises(FileRefused) as refused:
        list(
            CsvScanner(
                io.BytesIO(content), CsvForm({"a": 3, "b": None}, **form), max_rejects
            ).chunks()
        )
    assert str(refused.value) == str(refused.value.fault)
    return refused.value.fault


IN_A_RECORD = [
    (b"1,2,3", Reason.FIELD_COUNT, "3 values, 2 expected", None),
    (b"1", Reason.FIELD_COUNT, "1 values, 2 expected", None),
    (b"abcd,2", Reason.VALUE_TOO_LONG, "column 'a' holds 4 bytes, 3 are declared", "a"),
    ("éé,2".encode(), Reason.VALUE_TOO_LONG, "column 'a' holds 4 bytes, 3 are declared", "a"),
    (b'"a""bc",2', Reason.VALUE_TOO_LONG, "column 'a' holds 4 bytes, 3 are declared", "a"),
    (b"1  \xc2\xa0,2", Reason.VALUE_TOO_LONG, "column 'a' holds 5 bytes, 3 are declared", "a"),
    (b"1,\0", Reason.NUL_BYTE, "a NUL byte in value 2", "b"),
    (b'1,"x\0"', Reason.NUL_BYTE, "a NUL byte in value 2", "b"),
    (b"1,caf\xe9", Reason.INVALID_ENCODING, "byte 0xe9 in value 2 is not UTF-8", "b"),
    (b"1,\xed\xa0\x80", Reason.INVALID_ENCODING, "byte 0xed in value 2 is not UTF-8", "b"),
    (b"", Reason.BLANK_LINE, "the line is blank; an empty value alone is quoted", None),
    (
        b'5" pipe,2',
        Reason.STRAY_QUOTE,
        "a quote stands inside an unquoted value of column 'a'",
        "a",
    ),
    (
        b'1, "x"',
        Reason.BLANK_AROUND_QUOTE,
        "a blank stands between a quote and the value's end of column 'b'",
        "b",
    ),
    (
        b'"1" ,2',
        Reason.BLANK_AROUND_QUOTE,
        "a blank stands between a quote and the value's end of column 'a'",
        "a",
    ),
    (
        b'"1"x,2',
        Reason.TEXT_AFTER_QUOTE,
        "text follows a closing quote (a quote inside is doubled) of column 'a'",
        "a",
    ),
    (
        b'1,"2\n3,4',
        Reason.UNTERMINATED_QUOTE,
        "the file ends inside a quoted value of column 'b'",
        "b",
    ),
    (b"1\r,2", Reason.BARE_CR, "a CR without LF ends a line", None),
    (
        b"1,2\r",
        Reason.MIXED_LINE_ENDS,
        "the line ends in b'\\r\\n', the lines before it in b'\\n'",
        None,
    ),
]


@pytest.mark.parametrize(("record", "reason", "detail", "column"), IN_A_RECORD)
@pytest.mark.parametrize("rows_before", [0, 1, 30_000])
def test_a_wrong_record_is_named_with_its_place(record, reason, detail, column, rows_before):
    before = b"a,b\n" + b"1,2\n" * rows_before
    fault = refusal(before + record + b"\n")
    assert (fault.reason, fault.detail, fault.column) == (reason, detail, column)
    place = (fault.record_number, fault.line_number, fault.byte_offset)
    assert place == (rows_before + 1, rows_before + 2, len(before))
    assert fault.raw == record.removesuffix(b"\r")
    assert not fault.truncated


@pytest.mark.parametrize(("record", "reason", "detail", "column"), IN_A_RECORD)
def test_only_a_record_whose_end_is_certain_is_rejected_by_itself(record, reason, detail, column):
    content = b'a,b\n1,"x\ny"\n' + record + b"\n3,4\n"
    scanner = CsvScanner(io.BytesIO(content), CsvForm({"a": 3, "b": None}), max_rejects=1)
    if reason not in OF_ONE_RECORD:
        with pytest.raises(FileRefused):
            list(scanner.chunks())
        return
    assert b"".join(scanner.chunks()) == b'1,"x\ny"\n3,4\n'
    assert scanner.records == 3
    (fault,) = scanner.rejected
    assert (fault.reason, fault.detail, fault.raw) == (reason, detail, record)
    assert (fault.record_number, fault.line_number, fault.byte_offset) == (2, 4, 12)


def test_one_reject_more_than_allowed_refuses_the_file():
    fault = refusal(b"a,b\n1\n2\n3\n", max_rejects=2)
    assert (fault.reason, fault.record_number, fault.raw) == (Reason.FIELD_COUNT, 3, b"3")


def test_rejected_records_are_kept_whole_in_bounded_memory():
    record = b"x" * 30_000
    allowed = MAX_REJECTED_BYTES // len(record)
    fault = refusal(b"a,b\n" + (record + b"\n") * (allowed + 1), max_rejects=1000)
    assert (fault.reason, fault.record_number) == (Reason.FIELD_COUNT, allowed + 1)
    assert fault.detail.endswith(f"the rejected records hold more than {MAX_REJECTED_BYTES} bytes")
    form = CsvForm({"a": None, "b": None})
    scanner = CsvScanner(io.BytesIO(b"a,b\n" + (record + b"\n") * allowed), form, 1000)
    assert list(scanner.chunks()) == []
    assert [fault.raw for fault in scanner.rejected] == [record] * allowed


@pytest.mark.parametrize(
    ("codec", "kept"), [("utf-8", 32_766), ("cp1252", 32_767), ("utf-16-le", 32_766)]
)
@pytest.mark.parametrize("more", [0, 1])
def test_what_is_kept_is_counted_in_bytes_of_the_file(codec, kept, more):
    record = "€" * (kept // len("€".encode(codec)) + more)
    content = ("a,b\n" + record + "\n").encode(codec)
    fault = refusal(content, encoding=codec)
    assert fault.raw == record.encode(codec)[:RAW_BYTES]
    assert fault.truncated is bool(more)


@pytest.mark.parametrize(
    ("content", "form", "reason", "detail"),
    [
        (b"", {}, Reason.NO_HEADER, "the file is empty; a header line is expected"),
        (b"\xef\xbb\xbf", {}, Reason.NO_HEADER, "the file is empty; a header line is expected"),
        (
            b"a,b",
            {"skip_lines": 2},
            Reason.NO_HEADER,
            "line 1 of the 2 lines to skip does not end",
        ),
        (
            b"a,c\n",
            {},
            Reason.HEADER_DIFFERS,
            "the header is not the contract's; missing: 'b'; not in the contract: 'c'",
        ),
        (
            b"a,b,B \n",
            {},
            Reason.HEADER_DIFFERS,
            "the header is not the contract's; not in the contract: 'B '",
        ),
        (
            b"#!/usr/bin/env python\nimport os\n",
            {},
            Reason.HEADER_DIFFERS,
            "the header is not the contract's; missing: 'a', 'b'; "
            "the first line names no column of it",
        ),
        (
            b"sep=;\na;b\n",
            {},
            Reason.HEADER_DIFFERS,
            "the header is not the contract's; missing: 'a', 'b'; "
            "the first line names no column of it; "
            "this is Excel's separator line: declare skip_lines and delimiter",
        ),
        (
            b"\n",
            {"trailing_delimiter": True},
            Reason.HEADER_DIFFERS,
            "the header is not the contract's; missing: 'a', 'b'",
        ),
        (b"a,b,a\n", {}, Reason.DUPLICATE_HEADER, "columns named twice: 'a'"),
        (b'a,"b\n', {}, Reason.UNTERMINATED_QUOTE, "the file ends inside a quoted value"),
        (b"a,b\r1,2\r", {}, Reason.BARE_CR, "a CR without LF ends a line"),
        (
            b"a,\xe9\n",
            {},
            Reason.INVALID_ENCODING,
            "the header is not UTF-8; declare its encoding",
        ),
        (
            b"PK\x03\x04\x14\x00\n",
            {},
            Reason.NOT_DELIMITED_TEXT,
            "the file begins like a zip archive or an Excel workbook",
        ),
        (
            "a,b\n".encode("utf-16"),
            {},
            Reason.NOT_DELIMITED_TEXT,
            "the file begins like UTF-16 text: declare csv: {encoding: utf-16-le}",
        ),
    ],
)
def test_a_wrong_beginning_is_refused_as_the_header(content, form, reason, detail):
    fault = refusal(content, **form)
    assert (fault.reason, fault.detail, fault.record_number) == (reason, detail, 0)
    assert str(fault).startswith("line 1 (header, byte ")


CORRUPT_SUM = PACKED[:-8] + bytes([PACKED[-8] ^ 1]) + PACKED[-7:]


@pytest.mark.parametrize(
    ("content", "form", "reason", "detail"),
    [
        (PACKED[:-1], {}, Reason.GZIP_TRUNCATED, "ends early"),
        (PACKED + PACKED[:9], {}, Reason.GZIP_TRUNCATED, "ends early"),
        (CORRUPT_SUM, {}, Reason.GZIP_CORRUPT, "Incorrect checksum"),
        (PACKED[:10] + b"\xff" * 20, {}, Reason.GZIP_CORRUPT, "Invalid deflate block"),
        (PACKED + b"\x1f", {}, Reason.GZIP_TRUNCATED, "ends early"),
        (PACKED + b"x", {}, Reason.GZIP_TRAILING_GARBAGE, "follow the gzip data"),
        (PACKED + b"garbage", {}, Reason.GZIP_TRAILING_GARBAGE, "follow the gzip data"),
        (PACKED + b"\0\0", {}, Reason.GZIP_TRAILING_GARBAGE, "follow the gzip data"),
        (GOOD + b"\x81", {"encoding": "cp1252"}, Reason.INVALID_ENCODING, "byte 8 is not cp1252"),
        (GOOD.decode().encode("utf-16-le") + b"\n", {"encoding": "UTF-16LE"},
         Reason.INVALID_ENCODING, "the last utf-16-le character is cut"),
        (GOOD * 9, {"max_bytes": 71}, Reason.FILE_TOO_LARGE, "more than 71 bytes"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_on_is_refused(content, form, reason, detail):
    fault = refusal(content, max_rejects=9, **form)
    assert fault.reason is reason
    assert detail in fault.detail


class Thirds:
    """A stream that gives three bytes at a time, so that characters are cut."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int, /) -> bytes:
        """Give the next three."""
        return self._content.read(3)


@pytest.mark.parametrize(
    ("codec", "wrong", "place"), [("utf-16-le", b"\x00\xdc", 16), ("cp1252", b"\x81", 8)]
)
@pytest.mark.parametrize("stream", [io.BytesIO, Thirds])
def test_bytes_outside_the_encoding_are_found_and_what_is_before_them_is_read(
    stream, codec, wrong, place
):
    content = GOOD.decode().encode(codec) + wrong * 9
    scanner = CsvScanner(stream(content), CsvForm({"a": 3, "b": None}, encoding=codec))
    with pytest.raises(FileRefused) as refused:
        list(scanner.chunks())
    fault = refused.value.fault
    assert fault.detail == f"byte {place} is not {codec} text"
    assert (fault.record_number, fault.line_number, fault.byte_offset) == (2, 3, place)


@pytest.mark.parametrize("stream", [io.BytesIO, Thirds])
def test_what_stands_before_the_byte_limit_is_read(stream):
    scanner = CsvScanner(stream(GOOD * 9), CsvForm({"a": None, "b": None}, max_bytes=71))
    with pytest.raises(FileRefused) as refused:
        list(scanner.chunks())
    fault = refused.value.fault
    assert (fault.record_number, fault.byte_offset, fault.raw) == (17, 68, b"1,2")


@pytest.mark.parametrize("content", [GOOD * 9, gzip.compress(GOOD * 9, mtime=0)])
def test_a_file_of_exactly_max_bytes_is_read(content):
    scanner = CsvScanner(io.BytesIO(content), CsvForm({"a": None, "b": None}, max_bytes=72))
    assert len(b"".join(scanner.chunks())) == 68


class Endless:
    """A stream of 200 MB that is never whole in memory."""

    def __init__(self, beginning: bytes, repeated: bytes) -> None:
        self._next = beginning
        self._repeated = repeated * 16
        self._left = 200_000_000

    def read(self, size: int, /) -> bytes:
        """Give what comes next."""
        taken, self._next = self._next, self._repeated[:size]
        self._left -= len(taken)
        return taken if self._left > 0 else b""


@pytest.mark.parametrize(
    ("beginning", "filler", "hint"),
    [
        (b"1,x", b"x" * 4096, ""),
        (b'1,"', b"x" * 4096, "; is a quote before it not closed?"),
        (b'1,"', b"x\n" * 2048, "; is a quote before it not closed?"),
        (b'1,"', b'""' * 2048, "; is a quote before it not closed?"),
    ],
)
def test_a_record_without_an_end_is_refused_in_bounded_memory(beginning, filler, hint):
    most = 300_000
    form = CsvForm({"a": None, "b": None}, max_record_bytes=most)
    scanner = CsvScanner(Endless(GOOD + beginning, filler), form, max_rejects=9)
    tracemalloc.start()
    with pytest.raises(FileRefused) as refused:
        list(scanner.chunks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * most
    fault = refused.value.fault
    assert (fault.record_number, fault.line_number, fault.byte_offset) == (2, 3, len(GOOD))
    assert fault.reason is Reason.RECORD_TOO_LONG
    assert fault.detail == f"the record is longer than 300000 bytes{hint}"
    assert fault.raw == (beginning + filler * 16)[:RAW_BYTES]
    assert fault.truncated


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_a_good_record_takes_no_more_memory_than_a_few_times_its_bytes():
    value = b"x" * 1000 + b'""' + b"x" * 1_400_000
    content = b"a,b\n" + b'1,"%b"\n' % value * 4
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    form = CsvForm({"a": 9, "b": 1_401_001})
    scanner = CsvScanner(io.BytesIO(content), form)
    size = sum(map(len, scanner.chunks()))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert size == len(content) - len(b"a,b\n")
    assert grown < 40_000  # KiB; the regular expression engine's memory is not Python's


def test_the_place_and_the_bytes_are_those_of_the_file_in_its_own_encoding():
    text = "\ufeffsep\na;b;\r\né;€;\r\nçççç;1;\r\n"
    for codec in ("utf-16-le", "utf-16-be"):
        content = text.encode(codec)
        fault = refusal(
            content, encoding=codec, delimiter=";", trailing_delimiter=True, skip_lines=1
        )
        assert fault.reason is Reason.VALUE_TOO_LONG
        assert (fault.record_number, fault.line_number) == (2, 4)
        assert fault.byte_offset == content.index("ç".encode(codec))
        assert fault.raw == "çççç;1;".encode(codec)


def test_a_missing_trailing_delimiter_is_a_wrong_count():
    fault = refusal(b"a;b;\n1;2;\n1;2\n", delimiter=";", trailing_delimiter=True)
    assert fault.detail == "2 values, 2 expected and a trailing delimiter"
    assert fault.record_number == 2


def test_a_byte_order_mark_is_not_part_of_a_column_and_order_is_free():
    form = CsvForm({"a": None, "b": None})
    scanner = CsvScanner(io.BytesIO(b'\xef\xbb\xbf"b",a\n1,2'), form)
    assert scanner.header == ("b", "a")
    assert b"".join(scanner.chunks()) == b"1,2\n"


def test_names_are_folded_to_lower_case():
    scanner = CsvScanner(io.BytesIO(b"Op,ID\nI,1\n"), CsvForm({"op": None, "id": None}))
    assert scanner.header == ("op", "id")
    fault = refusal(b"A,b,a\n")
    assert (fault.reason, fault.detail) == (Reason.DUPLICATE_HEADER, "columns named twice: 'a'")


@pytest.mark.parametrize(
    "content", [b"a,b", b"a,b\n", b"a,b\r\n", gzip.compress(b"a,b\n", mtime=0)]
)
def test_a_header_alone_is_a_file_of_no_records(content):
    scanner = CsvScanner(io.BytesIO(content), CsvForm({"a": None, "b": None}))
    assert (list(scanner.chunks()), scanner.records) == ([], 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CsvForm({}), "declares no columns"),
        (lambda: CsvForm({"a": 1}, delimiter='"'), "must be one ASCII character"),
        (lambda: CsvForm({"a": 1}, delimiter="||"), "must be one ASCII character"),
        (lambda: CsvForm({"a": 1}, delimiter="§"), "must be one ASCII character"),
        (lambda: CsvForm({"a": 1}, encoding="utf-16"), "'utf-16' is not supported; use one of"),
        (lambda: CsvForm({"a": 1}, encoding="klingon"), "'klingon' is not supported"),
    ],
)
def test_a_form_that_cannot_be_read_is_wrong_use(make: Callable[[], CsvForm], message: str):
    with pytest.raises(UsageError, match=message):
        make()
