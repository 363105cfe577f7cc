"""The JSON scanner: what it cuts out of a file, and what it refuses."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.formats.faults import RAW_BYTES, Fault, FileRefused, Reason
from loaders.formats.json_form import MAX_DEPTH, MAX_STRING_BYTES, JsonForm
from loaders.formats.json_scanner import JsonScanner

FORM = JsonForm({"document": None})
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**37), 10**37)
    | st.floats(-1e30, 1e30).map(lambda x: round(x, 6))
    | TEXT
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=4)
WRITERS: list[Callable[[Any], str]] = [
    lambda value: json.dumps(value),
    lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
    lambda value: json.dumps(value, ensure_ascii=False, indent=2),
]
WRITTEN = st.builds(lambda value, write: write(value).encode(), OBJECTS, st.sampled_from(WRITERS))
GAPS = st.text(" \t\r\n", max_size=3).map(str.encode)


class Dribble:
    """A stream that gives as many bytes as it likes."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        self._stream = io.BytesIO(content)
        self._sizes = cycle(sizes)

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes."""
        return self._stream.read(min(size, next(self._sizes)))


def scan(content: bytes, max_rejects: int = 0, form: JsonForm = FORM) -> tuple[list[bytes], Any]:
    scanner = JsonScanner(io.BytesIO(content), form, max_rejects)
    return list(scanner.documents()), scanner


def fault_of(content: bytes, form: JsonForm = FORM) -> Fault:
    with pytest.raises(FileRefused) as refusal:
        scan(content, form=form)
    return refusal.value.fault


@given(
    st.lists(st.tuples(WRITTEN, GAPS), max_size=5),
    GAPS,
    st.booleans(),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_each_document_is_cut_out_as_it_stands(
    items: list[tuple[bytes, bytes]], first: bytes, packed: bool, sizes: list[int]
) -> None:
    content = first + b"".join(document + gap for document, gap in items)
    stored = gzip.compress(content, mtime=0) if packed else content
    scanner = JsonScanner(Dribble(stored, sizes), FORM)
    assert list(scanner.documents()) == [document for document, _ in items]
    assert (scanner.records, scanner.bytes_read) == (len(items), len(content))


@given(st.lists(WRITTEN, max_size=5))
def test_chunks_are_csv_of_one_column(documents: list[bytes]) -> None:
    chunks = JsonScanner(io.BytesIO(b"\n".join(documents)), FORM).chunks()
    text = b"".join(chunks).decode()
    assert list(csv.reader(io.StringIO(text, newline=""))) == [[d.decode()] for d in documents]


def test_documents_longer_than_a_block_and_a_byte_order_mark_are_read() -> None:
    long = json.dumps({"values": ["x" * 1000] * 1000}).encode()
    content = b"\xef\xbb\xbf" + b'{"a":1}' + long + long + b'{"b":2}'
    assert scan(content)[0] == [b'{"a":1}', long, long, b'{"b":2}']
    assert len(list(JsonScanner(io.BytesIO(content), FORM).chunks())) > 1


WRONG = [
    (b"[1]", Reason.NOT_AN_OBJECT, "not an object"),
    (b"12", Reason.NOT_AN_OBJECT, "not an object"),
    (b'{"a":1,"a":2}', Reason.DUPLICATE_KEY_IN_OBJECT, "the key 'a' stands twice"),
    (b'{"x":{"\xc3\xa9":1,"\\u00e9":2}}', Reason.DUPLICATE_KEY_IN_OBJECT, "the key 'é'"),
    (b'{"a":"\\u0000"}', Reason.NUL_CHARACTER, "no warehouse stores"),
    (b'{"\\ud800":1}', Reason.LONE_SURROGATE, "half of a surrogate pair"),
    (b'{"a":"\xff"}', Reason.INVALID_ENCODING, "byte 0xff of the document is not UTF-8"),
    (b'{"a":%d}' % 10**38, Reason.NUMBER_OUT_OF_RANGE, "more than 38 digits"),
    (b'{"a":1e400}', Reason.NUMBER_OUT_OF_RANGE, "1e400"),
    (b'{"a":NaN}', Reason.NUMBER_OUT_OF_RANGE, "NaN"),
    (b'{"a":-Infinity}', Reason.NUMBER_OUT_OF_RANGE, "-Infinity"),
    (b'{"a":"%s"}' % (b"\xc3\xa9" * 32768), Reason.VALUE_TOO_LONG, "65536 bytes"),
    (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), Reason.TOO_DEEP, "500 levels"),
]


@pytest.mark.parametrize(("wrong", "reason", "detail"), WRONG, ids=[str(w[1]) for w in WRONG])
@pytest.mark.parametrize("gap", [b"", b"\n"], ids=["concatenated", "lines"])
def test_a_wrong_document_alone_is_rejected_between_good_ones(
    wrong: bytes, reason: Reason, detail: str, gap: bytes
) -> None:
    content = gap.join([b'{"n":1}', wrong, b'{"n":2}'])
    fault = fault_of(content)
    assert (fault.reason, fault.raw) == (reason, wrong[:RAW_BYTES])
    assert detail in fault.detail
    assert (fault.record_number, fault.byte_offset) == (2, 7 + len(gap))
    assert fault.line_number == 1 + len(gap)
    if fault.truncated:
        with pytest.raises(FileRefused, match="a record of more than 32767 bytes is not rejected"):
            scan(content, max_rejects=1)
        return
    documents, scanner = scan(content, max_rejects=1)
    assert documents == [b'{"n":1}', b'{"n":2}']
    assert (scanner.records, scanner.rejected) == (3, [fault])


def test_what_is_just_allowed_is_accepted() -> None:
    documents = [
        b'{"a":"%s"}' % (b"\xc3\xa9" * 32767),
        b'{"a":"\\ud83d\\ude00 \\\\u0000"}',
        b'{"a":%d,"b":-%d,"c":1.5e30,"d":"1e400"}' % (10**38 - 1, 10**38 - 1),
        b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH,
        b'{"a":{"b":1},"b":[{"a":1},{"a":1}]}',
        b"{}",
    ]
    assert len(documents[0]) == MAX_STRING_BYTES - 1 + 8
    assert scan(b"".join(documents))[0] == documents


def test_malformed_lines_are_rejected_one_by_one() -> None:
    lines = [b'{"n":1}', b'{"n":', b"nonsense", b'{"n":2}', b'{"a" 1}', b'{"n":3']
    documents, scanner = scan(b"\n".join(lines), max_rejects=4)
    assert documents == [b'{"n":1}', b'{"n":2}']
    assert [(f.raw, f.line_number, f.record_number) for f in scanner.rejected] == [
        (lines[1], 2, 2),
        (lines[2], 3, 3),
        (lines[4], 5, 5),
        (lines[5], 6, 6),
    ]
    assert {fault.reason for fault in scanner.rejected} == {Reason.NOT_JSON}


def test_a_cut_off_end_of_concatenated_documents_is_rejected_by_itself() -> None:
    documents, scanner = scan(b'{"n":1}{"n":2}{"n":{"a":"}', max_rejects=1)
    assert documents == [b'{"n":1}', b'{"n":2}']
    assert [fault.raw for fault in scanner.rejected] == [b'{"n":{"a":"}']


def test_nobody_guesses_where_a_malformed_document_among_concatenated_ones_ends() -> None:
    content = b'{"n":1}{"n":2}{"n" 3}{"n":4}'
    with pytest.raises(FileRefused) as refusal:
        scan(content, max_rejects=9)
    fault = refusal.value.fault
    assert (fault.reason, fault.byte_offset) == (Reason.NOT_JSON, 14)
    assert "delimiter at byte 5 of the document" in fault.detail


@pytest.mark.parametrize(
    "content",
    [
        b'{"q":}{"n":1}{"n":2}',
        b'{"q":}{"n":1}{"n":2}\n',
        b'\x00\x01garbage{"n":1}{"n":2}',
        b'{"n":1}{"n" 3}{"n":4}',
        b'{"n":1}\n{"n":2}{"n" 3}\n{"n":4}\n',
    ],
)
def test_no_good_document_goes_with_a_malformed_one(content: bytes) -> None:
    """However the file is compressed: a member a document ends a block with each of them."""
    members = b"".join(
        gzip.compress(part, mtime=0) for part in re.split(rb"(?=[{\n])", content) if part
    )
    for staged in (content, gzip.compress(content, mtime=0), members):
        with pytest.raises(FileRefused) as refusal:
            scan(staged, max_rejects=9)
        assert refusal.value.fault.reason == Reason.NOT_JSON


def test_a_first_line_may_be_malformed_if_the_next_one_says_that_lines_are_documents() -> None:
    documents, scanner = scan(b'{"q":\n{"n":1}\n{"n":2}', max_rejects=1)
    assert documents == [b'{"n":1}', b'{"n":2}']
    assert [fault.raw for fault in scanner.rejected] == [b'{"q":']


def test_a_document_without_an_end_is_refused_in_bounded_memory() -> None:
    class Endless:
        given = 0

        def read(self, size: int, /) -> bytes:
            """Go on with the same text."""
            self.given += size
            return b'{"a":"' + b"x" * (size - 6) if self.given == size else b"x" * size

    stream = Endless()
    with pytest.raises(FileRefused) as refusal:
        list(JsonScanner(stream, JsonForm({"document": None}, 10**6)).documents())
    assert refusal.value.fault.reason == Reason.RECORD_TOO_LONG
    assert stream.given < 3 * 10**6


@pytest.mark.parametrize(
    ("content", "form", "reason"),
    [
        (gzip.compress(b'{"a":1}' * 9, mtime=0)[:-9], FORM, Reason.GZIP_TRUNCATED),
        (b'{"a":1}' * 9, JsonForm({"document": None}, max_bytes=62), Reason.FILE_TOO_LARGE),
        (
            b'{"a":"xxxxx"}',
            JsonForm({"document": None}, max_document_bytes=12),
            Reason.RECORD_TOO_LONG,
        ),
        (b'<?xml version="1.0"?><Error/>', FORM, Reason.NOT_JSON),
        (b"PAR1", FORM, Reason.NOT_JSON),
    ],
    ids=["cut gzip", "long file", "long document", "error page", "parquet"],
)
def test_a_file_that_cannot_be_read_on_is_refused(
    content: bytes, form: JsonForm, reason: Reason
) -> None:
    assert fault_of(content, form).reason == reason


@given(
    st.lists(WRITTEN | st.binary(max_size=8) | st.sampled_from([w[0] for w in WRONG[:8]])),
    st.sampled_from([b"", b"\n"]),
)
def test_whatever_the_bytes_nothing_is_lost(parts: list[bytes], gap: bytes) -> None:
    content = gap.join(parts)
    scanner = JsonScanner(io.BytesIO(content), FORM, max_rejects=100)
    documents: list[bytes] = []
    fault = None
    try:
        documents += scanner.documents()
    except FileRefused as refusal:
        fault = refusal.fault
    if fault:
        assert content[fault.byte_offset :].startswith(fault.raw)
        return
    assert scanner.records == len(documents) + len(scanner.rejected)
    for document in documents:
        assert isinstance(json.loads(document), dict)
    kept = sum(map(len, documents)) + sum(len(fault.raw) for fault in scanner.rejected)
    blank = sum(content.count(byte) for byte in (b" ", b"\t", b"\r", b"\n"))
    assert kept <= len(content.removeprefix(b"\xef\xbb\xbf")) <= kept + blank
