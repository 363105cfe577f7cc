"""The scanner against Python's own csv module and against PostgreSQL's COPY."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import tracemalloc
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from loaders.formats.csv_form import CsvForm
from loaders.formats.csv_grammar import Grammar, Prefix
from loaders.formats.csv_scanner import CsvScanner
from loaders.formats.faults import FileRefused, Reason

AB = {"a": None, "b": None}
Row = list[str]


class Dribble:
    """A stream that gives its bytes in pieces of the given sizes, over and over."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        self._content = io.BytesIO(content)
        self._sizes = self._turns(sizes)

    @staticmethod
    def _turns(sizes: list[int]) -> Iterator[int]:
        while True:
            yield from sizes

    def read(self, size: int, /) -> bytes:
        """Give the next piece."""
        return self._content.read(min(size, next(self._sizes)))


def scan(content: bytes, form: CsvForm, max_rejects: int = 0) -> tuple[CsvScanner, bytes]:
    scanner = CsvScanner(io.BytesIO(content), form, max_rejects)
    return scanner, b"".join(scanner.chunks())


def oracle(content: bytes, delimiter: str = ",") -> list[Row]:
    text = io.StringIO(content.decode(), newline="")
    csv.field_size_limit(10**9)
    return list(csv.reader(text, strict=True, delimiter=delimiter))


def outcome(stream: io.BytesIO | Dribble, form: CsvForm, max_rejects: int) -> Any:
    """All that a caller can see of one scan, but for how the data is cut into chunks."""
    data = b""
    scanner = None
    try:
        scanner = CsvScanner(stream, form, max_rejects)
        for chunk in scanner.chunks():
            assert chunk.endswith(b"\n")
            data += chunk
    except FileRefused as refused:
        return data, refused.fault, scanner and scanner.rejected
    return data, scanner.header, scanner.records, scanner.rejected, scanner.bytes_read


def as_csv(rows: list[Row], line_end: str, delimiter: str = ",", quote_all: bool = False) -> bytes:
    """Write strict CSV (before 3.13 the csv module leaves a CR unquoted if lines end in LF)."""
    text = io.StringIO(newline="")
    for row in rows:
        quoting = csv.QUOTE_ALL if quote_all or "\r" in "".join(row) else csv.QUOTE_MINIMAL
        how = {"lineterminator": line_end, "delimiter": delimiter}
        csv.writer(text, quoting=quoting, **how).writerow(row)
    return text.getvalue().encode()


characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
value = st.one_of(st.text(characters, max_size=8), st.text('a,";\r\n \\.é|', max_size=8))


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[Row]]:
    header = [f"c{n}" for n in range(draw(st.integers(1, 4)))]
    row = st.lists(value, min_size=len(header), max_size=len(header))
    return header, draw(st.lists(row, max_size=12))


sizes = st.lists(st.integers(1, 40), min_size=1, max_size=4)
line_ends = st.sampled_from(["\n", "\r\n"])


@given(tables(), line_ends, st.booleans(), sizes)
def test_any_table_written_as_csv_comes_back(table, line_end, quote_all, sizes) -> None:
    header, rows = table
    content = as_csv([header, *rows], line_end, quote_all=quote_all)
    form = CsvForm(dict.fromkeys(header))
    scanner = CsvScanner(Dribble(content, sizes), form)
    data = b"".join(scanner.chunks())
    assert oracle(data) == rows
    assert data == content[content.index(line_end.encode()) + len(line_end) :]
    assert (scanner.header, scanner.records) == (tuple(header), len(rows))
    assert scanner.bytes_read == len(content)


DIALECT_CODECS = ["utf-8", "utf-16-le", "utf-16-be", "latin-1", "cp1252"]


@given(
    tables(),
    line_ends,
    st.sampled_from(",;\t|^-]\\"),
    st.sampled_from(DIALECT_CODECS),
    st.booleans(),
    st.integers(0, 2),
    st.booleans(),
    sizes,
)
def test_any_dialect_becomes_comma_separated_utf8_with_the_same_values(
    table, line_end, delimiter, codec, trailing, skipped, has_header, sizes
) -> None:
    header, rows = table
    if codec not in DIALECT_CODECS[:3]:
        rows = [[v.encode(codec, "ignore").decode(codec) for v in row] for row in rows]
    lines = [
        as_csv([row], line_end, delimiter).decode().removesuffix(line_end)
        + delimiter * trailing
        + line_end
        for row in ([header, *rows] if has_header else rows)
    ]
    text = f'metadata: "x{line_end}' * skipped + "".join(lines)
    form = CsvForm(
        dict.fromkeys(header),
        delimiter=delimiter,
        encoding=codec,
        header=has_header,
        skip_lines=skipped,
        trailing_delimiter=trailing,
    )
    scanner = CsvScanner(Dribble(text.encode(codec), sizes), form)
    data = b"".join(scanner.chunks())
    assert oracle(data) == rows
    assert scan(data, CsvForm(dict.fromkeys(header), header=False))[1] == data
    assert scanner.records == len(rows)
    assert scanner.bytes_read == len(text.encode(codec))


pieces = st.one_of(
    st.sampled_from([b'"', b",", b"\n", b"\r\n", b"a", b'""', b" ", b"\xc3\xa9", b"x,y\n", b"\\."]),
    st.sampled_from([b"\r", b"\0", b"\xff", b"\xc3", b'"a\nb",c\n', b"\xef\xbb\xbf"]),
)
soup = st.lists(pieces, max_size=30).map(b"".join)


@given(soup)
@settings(max_examples=500)
def test_any_bytes_are_read_as_the_oracle_reads_them_or_refused(content) -> None:
    try:
        scanner, data = scan(b"a,b\n" + content, CsvForm(AB))
    except FileRefused:
        return
    expected = oracle(content)
    assert oracle(data) == expected
    assert scanner.records == len(expected)
    assert all(len(row) == 2 for row in expected)


limits = st.sampled_from([None, 1, 3])


@given(soup, st.sampled_from([b"a,b\n", b"b,a\r\n", b""]), limits, st.integers(0, 3), sizes)
@settings(max_examples=300)
@example(b'x"\r\n,\r', b"b,a\r\n", None, 1, [1])
def test_the_result_does_not_depend_on_how_the_bytes_arrive(
    content, header, limit, rejects, sizes
) -> None:
    content = header + content
    columns = {"a": limit, "b": 2}
    for most, most_in_all in ((4096, None), (20, 25), (7, None)):
        form = CsvForm(columns, header=bool(header), max_record_bytes=most, max_bytes=most_in_all)
        whole = outcome(io.BytesIO(content), form, rejects)
        assert outcome(Dribble(content, sizes), form, rejects) == whole
        assert outcome(Dribble(gzip.compress(content), sizes), form, rejects) == whole


FILE_BEGINNINGS = st.sampled_from([b"a,b\n", b"b,a\r\n", b"a\n"])


@given(soup, FILE_BEGINNINGS, st.sampled_from(",;"), limits, st.booleans())
@example(b"x\n\ny\n", b"a\n", ",", None, False)
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(b'"""a""",b\n"a""b",\n', b"a,b\n", ",", 3, False)
def test_the_fast_grammar_agrees_with_the_record_by_record_scan(
    monkeypatch, content, header, delimiter, limit, trailing
) -> None:
    content = (header + content).replace(b",", delimiter.encode())
    columns = {"a": limit, "b": 2} if b"b" in header else {"a": limit}
    form = CsvForm(columns, delimiter=delimiter, trailing_delimiter=trailing)
    content = content.replace(b"\n", delimiter.encode() + b"\n", 99 * trailing)
    fast = outcome(io.BytesIO(content), form, 2)
    with monkeypatch.context() as patched:
        patched.setattr(Grammar, "good_prefix", lambda *_: Prefix(0, 0, 0))
        assert outcome(io.BytesIO(content), form, 2) == fast


ENDINGS = [b",y\n", b",y", b'"\n', b"\r\n", b"\r,\n", b',"', b',"y', b',"y"z\n', b',"y"\n', b"\n"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("length", range(10))
def test_a_record_is_too_long_from_one_byte_more_than_allowed(length, ending) -> None:
    form = CsvForm(AB, max_record_bytes=7)
    record = b"x" * length + ending
    whole = outcome(io.BytesIO(b"a,b\n" + record + b"1,2\n"), form, 0)
    assert outcome(Dribble(b"a,b\n" + record + b"1,2\n", [1]), form, 0) == whole
    if ending in (b",y\n", b',"y"\n') and len(record) <= 7:
        assert whole[2] == 2
    if len(record.removesuffix(b"\n")) > 9:
        assert whole[1].reason is Reason.RECORD_TOO_LONG


@given(soup, st.integers(1, 4))
def test_accepted_and_rejected_records_together_are_the_file(content, rejects) -> None:
    content = b"a,b\n" + content.removesuffix(b"\n") + b"\n"
    scanner = CsvScanner(io.BytesIO(content), CsvForm({"a": 2, "b": None}), rejects)
    spans = [(0, 4)]
    rows = 0
    try:
        for chunk in scanner.chunks():
            spans.append((scanner.bytes_read - len(chunk), scanner.bytes_read))
            assert chunk == content[slice(*spans[-1])]
            rows += len(oracle(chunk))
    except FileRefused:
        return
    assert scanner.records == rows + len(scanner.rejected)
    for fault in scanner.rejected:
        spans.append((fault.byte_offset, fault.byte_offset + len(fault.raw)))
        assert fault.raw == content[slice(*spans[-1])]
        assert fault.line_number == content[: fault.byte_offset].count(b"\n") + 1
    spans = [*sorted(spans), (len(content), len(content))]
    gaps = {content[end:start] for (_, end), (start, _) in itertools.pairwise(spans)}
    assert gaps <= {b"", b"\n", b"\r\n"}


@given(st.data())
def test_one_changed_byte_of_a_gzip_is_refused_or_harmless(data) -> None:
    content = b"a,b\n" + b"".join(b"%d,value %d\n" % (n, n * n) for n in range(300))
    packed = bytearray(gzip.compress(content[:900]) + gzip.compress(content[900:]))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    try:
        _, result = scan(bytes(packed), CsvForm(AB))
    except FileRefused:
        return
    assert result == content[4:]


@given(st.integers(1, 300))
def test_a_gzip_that_ends_early_is_refused(missing) -> None:
    packed = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n**3) for n in range(300)))
    with pytest.raises(FileRefused) as refused:
        scan(packed[:-missing], CsvForm(AB))
    assert refused.value.fault.reason is Reason.GZIP_TRUNCATED


def test_gzip_members_in_a_row_are_one_file_and_highly_compressed_data_stays_whole() -> None:
    rows = b"1,2\n" * 1_000_000
    scanner, data = scan(gzip.compress(b"a,b\n") + gzip.compress(rows), CsvForm(AB))
    assert data == rows
    assert scanner.records == 1_000_000


NULL = "\x01impossible\x01"


def copied(database: dict[str, Any], form: CsvForm, content: bytes) -> list[tuple[str, ...]]:
    scanner = CsvScanner(io.BytesIO(content), form)
    columns = ", ".join(f'"{name}"' for name in form.columns)
    with psycopg.connect(**database) as connection, connection.cursor() as cursor:
        texts = ", ".join(f'"{name}" text' for name in form.columns)
        cursor.execute(f"create temporary table raw (n serial, {texts})".encode())
        order = ", ".join(f'"{name}"' for name in scanner.header)
        statement = f"copy raw ({order}) from stdin (format csv, null '{NULL}', encoding 'utf8')"
        with cursor.copy(statement.encode()) as copy:
            for chunk in scanner.chunks():
                copy.write(chunk)
        assert cursor.rowcount == scanner.records
        cursor.execute(f"select {columns} from raw order by n".encode())
        rows = cursor.fetchall()
        connection.rollback()
    return rows


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(tables(), line_ends, st.booleans())
@example((["c0"], [["\\."], ["x\n\\.\ny"], ["z"]]), "\n", False)
@example((["c0", "c1"], [["", " "], [" x ", '"'], ["a\rb", "c\r\nd"]]), "\r\n", False)
def test_postgres_reads_from_the_scanner_what_the_oracle_reads(
    database, table, line_end, quote_all
) -> None:
    header, rows = table
    content = as_csv([header, *rows], line_end, quote_all=quote_all)
    assert copied(database, CsvForm(dict.fromkeys(header)), content) == [*map(tuple, rows)]


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(soup)
def test_postgres_reads_any_accepted_bytes_as_the_oracle_does(database, content) -> None:
    try:
        rows = copied(database, CsvForm(AB), b"b,a\n" + content)
    except FileRefused:
        return
    assert rows == [(a, b) for b, a in oracle(content)]


def test_a_record_of_many_quotes_before_short_ones_costs_no_memory() -> None:
    """The shape of the first record is not repeated as often as there are lines."""
    content = b'a,b\n"' + b'""' * 15_000 + b'",x\n' + b"1,2\n" * 100_000
    tracemalloc.start()
    try:
        scanner, data = scan(content, CsvForm(columns=AB))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert scanner.records == 100_001
    assert data == content.removeprefix(b"a,b\n")
    assert peak < 20 * len(content)
