"""The CSV scanner: checks a staged file against the strict form and yields what COPY is given.

PostgreSQL and Redshift read the strict form alike, and much of everything else differently.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from loaders.formats.csv_form import CsvForm
from loaders.formats.csv_grammar import Grammar
from loaders.formats.faults import (
    OF_ONE_RECORD,
    RAW_BYTES,
    Fault,
    FileRefused,
    Located,
    Reason,
    Rejects,
)
from loaders.formats.source_bytes import ByteStream, SourceError, limited, plain_blocks, utf8_blocks

_BOM = b"\xef\xbb\xbf"
_OTHER_KINDS = {
    b"<": "XML or HTML, such as an error page of S3",
    b"\x1f\x8b": "gzip data: it was compressed twice",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PAR1": "a Parquet file",
    b"\x28\xb5\x2f\xfd": "zstd data",
    b"BZh": "bzip2 data",
    b"\xff\xfe": "UTF-16 text: declare csv: {encoding: utf-16-le}",
    b"\xfe\xff": "UTF-16 text: declare csv: {encoding: utf-16-be}",
}


@dataclass(frozen=True)
class _Wrong:
    reason: Reason
    detail: str
    column: str | None = None


@dataclass(frozen=True)
class _Record:
    """The record a buffer begins with."""

    end: int | None  # with its line end; None: uncertain
    values: tuple[bytes, ...] = ()  # as written, quotes included
    wrong: _Wrong | None = None  # with its quotes or its line end


class CsvScanner:
    """One pass over one file, in constant memory.

    The header is read and checked at once; `chunks()` then yields the data. What it yielded
    before it raised `FileRefused` must be discarded with the file. Up to `max_rejects` records
    that are wrong by themselves are left out and kept in `rejected` instead, whole: one that is
    too long to be kept refuses the file.

    A byte order mark at the very start is dropped. Line ends stay as they are; a last record
    without one is given one.
    """

    def __init__(self, stream: ByteStream, form: CsvForm, max_rejects: int = 0) -> None:
        self.header: tuple[str, ...] = ()
        """The columns in the file's order."""
        self.records = 0
        """Data records read so far, rejected ones included."""
        self._rejects = Rejects(max_rejects)
        self.rejected = self._rejects.faults
        self.bytes_read = 0
        """Bytes of the file, decompressed and in its own encoding, that were consumed so far."""
        self._form = form
        self._delimiter = form.delimiter.encode()
        self._unquoted = re.compile(rb'[^"\r\n%b]*+' % re.escape(self._delimiter))
        blocks = plain_blocks(stream)
        if form.codec != "utf-8":
            blocks = utf8_blocks(blocks, form.codec)
        self._blocks = limited(blocks, form.max_bytes)
        self._buffer = b""  # UTF-8, begins at a record's start
        self._filled = 0  # bytes that ever came into the buffer
        self._final = False  # the buffer holds the rest of the file
        self._broken: SourceError | None = None  # met behind the buffer's end
        self._line = 1
        self._line_end = b""  # not seen yet
        self._start()

    def chunks(self) -> Iterator[bytes]:
        """Yield the data as UTF-8 CSV without header, whole records a chunk; once."""
        grammar = Grammar(self._form, self.header, self._line_end) if self._line_end else None
        while self._buffer or not self._final:
            if grammar and len(self._buffer) <= self._form.max_record_bytes:
                good = grammar.good_prefix(self._buffer)
                if good.records:
                    self.records += good.records
                    yield grammar.canonical(self._consume(good.length, good.lines))
                    continue
            record = self._next_record()
            if record is None:
                return
            self.records += 1
            if wrong := record.wrong or self._wrong_in(record):
                self._reject(wrong, record.end)
                continue
            if grammar is None:
                grammar = Grammar(self._form, self.header, self._line_end or b"\n")
            data = self._consume(record.end or 0)
            if not data.endswith(b"\n"):
                data += self._line_end or b"\n"  # COPY refuses line ends of two kinds
            yield grammar.canonical(data)

    def located(self, columns: Collection[str]) -> Iterator[Located]:
        """Yield each good record with its place and these columns; once, instead of `chunks()`."""
        while (record := self._next_record()) is not None:
            self.records += 1
            if wrong := record.wrong or self._wrong_in(record):
                self._reject(wrong, record.end)
                continue
            pairs = zip(self.header, self._data_values(record), strict=True)
            values = {name: _value(value).decode() for name, value in pairs if name in columns}
            yield Located(self.records, self._line, self.bytes_read, values)
            self._consume(record.end or 0)

    # The beginning of the file

    def _start(self) -> None:
        while len(self._buffer) < len(_BOM) and not (self._final or self._broken):
            self._fill()
        if self._buffer.startswith(_BOM):
            self._consume(len(_BOM))
        kinds = [kind for magic, kind in _OTHER_KINDS.items() if self._buffer.startswith(magic)]
        for number in range(self._form.skip_lines):
            self._skip_line(number)
        if not self._form.header:
            self.header = tuple(self._form.columns)
            return
        record = self._next_record()
        if record is None:
            raise self._refusal(Reason.NO_HEADER, "the file is empty; a header line is expected")
        wrong = record.wrong or self._wrong_in_header(record)
        if wrong and kinds:
            wrong = _Wrong(Reason.NOT_DELIMITED_TEXT, f"the file begins like {kinds[0]}")
        if wrong or record.end is None:
            assert wrong is not None  # noqa: S101 -- only a wrong record has no end
            raise FileRefused(self._fault(wrong, record.end))
        # In lower case, since Redshift folds names (DMS writes `Op`).
        self.header = tuple(_value(value).decode().lower() for value in self._data_values(record))
        self._consume(record.end)

    def _skip_line(self, number: int) -> None:
        while (end := self._buffer.find(b"\n") + 1) == 0:
            if self._final or len(self._buffer) > self._form.max_record_bytes:
                raise self._refusal(
                    Reason.NO_HEADER,
                    f"line {number + 1} of the {self._form.skip_lines} lines to skip does not end",
                )
            self._fill()
        self._consume(end)

    def _wrong_in_header(self, record: _Record) -> _Wrong | None:
        try:
            written = [_value(value).decode() for value in self._data_values(record)]
        except UnicodeDecodeError:
            return _Wrong(Reason.INVALID_ENCODING, "the header is not UTF-8; declare its encoding")
        names = [name.lower() for name in written]
        known = set(names) & set(self._form.columns)
        if twice := sorted({name for name in known if names.count(name) > 1}):
            return _Wrong(Reason.DUPLICATE_HEADER, f"columns named twice: {_listed(twice)}")
        missing = [name for name in self._form.columns if name not in names]
        unknown = [name for name in written if name.lower() not in self._form.columns]
        if not missing and not unknown:
            return None
        detail = "the header is not the contract's"
        if missing:
            detail += f"; missing: {_listed(missing)}"
        if unknown and known:
            detail += f"; not in the contract: {_listed(unknown)}"
        elif unknown:  # perhaps a row, whose values are no one's to read in a message
            detail += "; the first line names no column of it"
        if names and names[0].startswith("sep="):
            detail += "; this is Excel's separator line: declare skip_lines and delimiter"
        return _Wrong(Reason.HEADER_DIFFERS, detail)

    # One record

    def _next_record(self) -> _Record | None:
        """Read the record at the buffer's start to its end; None at the end of the file."""
        while (record := self._split()) is None:
            if self._final and not self._buffer:
                return None
            self._fill()
        return record

    def _split(self) -> _Record | None:
        """Find the values and the end of the buffer's first record; None: read on to tell."""
        buffer, most = self._buffer, self._form.max_record_bytes
        values: list[bytes] = []
        at = 0
        while buffer:
            start, quoted = at, buffer.startswith(b'"', at)
            if quoted:
                closing = _closing_quote(buffer, at + 1)
                if closing < 0:
                    if self._final:
                        at = len(buffer) - 1  # the rest of the file is the record
                        return self._badly_quoted(Reason.UNTERMINATED_QUOTE, len(values), at)
                    break
                at = closing + 1
            else:
                found = self._unquoted.match(buffer, at)
                at = found.end() if found else at
            values.append(buffer[start:at])
            if buffer.startswith(self._delimiter, at):
                at += 1
            elif at == len(buffer):  # a quote here may be half of a doubled one
                if not self._final:
                    break
                return self._whole(at, values)
            elif buffer[at] in b"\r\n":
                return self._ended(at, values)
            elif not quoted and buffer[start:at].strip():
                return self._badly_quoted(Reason.STRAY_QUOTE, len(values) - 1, at)
            elif not quoted or buffer[at] in b" \t":
                return self._badly_quoted(Reason.BLANK_AROUND_QUOTE, len(values) - 1, at)
            else:
                return self._badly_quoted(Reason.TEXT_AFTER_QUOTE, len(values) - 1, at)
        return self._too_long() if len(buffer) > most else None

    def _ended(self, at: int, values: list[bytes]) -> _Record | None:
        """Return the record whose line end begins at `at`."""
        line_end = b"\r\n" if self._buffer.startswith(b"\r\n", at) else self._buffer[at : at + 1]
        if line_end == b"\r":
            return self._badly_formed(_Wrong(Reason.BARE_CR, "a CR without LF ends a line"), at)
        if line_end != (self._line_end or line_end):
            detail = f"the line ends in {line_end!r}, the lines before it in {self._line_end!r}"
            return self._badly_formed(_Wrong(Reason.MIXED_LINE_ENDS, detail), at)
        record = self._whole(at + len(line_end), values)
        if record.wrong is None:
            self._line_end = line_end
        return record

    def _whole(self, end: int, values: list[bytes]) -> _Record:
        too_long = end > self._form.max_record_bytes
        return self._too_long() if too_long else _Record(end, tuple(values))

    def _too_long(self) -> _Record:
        most = self._form.max_record_bytes
        detail = f"the record is longer than {most} bytes"
        if b'"' in self._buffer[:most]:
            detail += "; is a quote before it not closed?"
        return _Record(None, wrong=_Wrong(Reason.RECORD_TOO_LONG, detail))

    def _badly_quoted(self, reason: Reason, index: int, at: int) -> _Record | None:
        details = {
            Reason.STRAY_QUOTE: "a quote stands inside an unquoted value",
            Reason.BLANK_AROUND_QUOTE: "a blank stands between a quote and the value's end",
            Reason.TEXT_AFTER_QUOTE: "text follows a closing quote (a quote inside is doubled)",
            Reason.UNTERMINATED_QUOTE: "the file ends inside a quoted value",
        }
        column = self.header[index] if index < len(self.header) else None
        of = f" of column {column!r}" if column else ""
        return self._badly_formed(_Wrong(reason, f"{details[reason]}{of}", column), at)

    def _badly_formed(self, wrong: _Wrong, at: int) -> _Record | None:
        """Return the record that goes wrong at `at`, up to the line's end; None: read on."""
        most = self._form.max_record_bytes
        if at >= most:
            return self._too_long()
        line_end = self._line_end or b"\n"
        found = self._buffer.find(line_end, at)
        end = found + len(line_end) if found >= 0 else len(self._buffer)
        if found < 0 and not self._final and end <= most:
            return None
        return _Record(end if end <= most else None, wrong=wrong)

    def _data_values(self, record: _Record) -> tuple[bytes, ...]:
        """Return the values without the empty one behind a trailing delimiter."""
        values = record.values
        return values[:-1] if self._form.trailing_delimiter and values[-1:] == (b"",) else values

    def _wrong_in(self, record: _Record) -> _Wrong | None:
        """Say what is wrong with a data record whose quotes and line end are right."""
        values = self._data_values(record)
        if values in ((), (b"",)):
            return _Wrong(Reason.BLANK_LINE, "the line is blank; an empty value alone is quoted")
        for index, value in enumerate(values):
            column = self.header[index] if index < len(self.header) else None
            if b"\0" in value:
                return _Wrong(Reason.NUL_BYTE, f"a NUL byte in value {index + 1}", column)
            try:
                value.decode()
            except UnicodeDecodeError as error:
                detail = f"byte {value[error.start]:#04x} in value {index + 1} is not UTF-8"
                return _Wrong(Reason.INVALID_ENCODING, detail, column)
        ends_rightly = len(record.values) - len(values) == self._form.trailing_delimiter
        if len(values) != len(self.header) or not ends_rightly:
            detail = f"{len(values)} values, {len(self.header)} expected"
            if self._form.trailing_delimiter:
                detail += " and a trailing delimiter"
            return _Wrong(Reason.FIELD_COUNT, detail)
        for column, value in zip(self.header, values, strict=True):
            octets, most = len(_value(value)), self._form.columns[column]
            if most is not None and octets > most:
                detail = f"column {column!r} holds {octets} bytes, {most} are declared"
                return _Wrong(Reason.VALUE_TOO_LONG, detail, column)
        return None

    # Refusals

    def _reject(self, wrong: _Wrong, end: int | None) -> None:
        fault = self._fault(wrong, end)
        if end is None or wrong.reason not in OF_ONE_RECORD:
            raise FileRefused(fault)
        self._rejects.add(fault)
        self._consume(end)

    def _refusal(self, reason: Reason, detail: str) -> FileRefused:
        return FileRefused(self._fault(_Wrong(reason, detail), None))

    def _fault(self, wrong: _Wrong, end: int | None) -> Fault:
        whole = self._buffer[:end]
        if end is not None and whole.endswith(b"\n"):  # a CR alone is part of the record
            whole = whole[:-1].removesuffix(b"\r")
        # A character has at most three bytes in UTF-8 for each one in the file.
        kept = whole[: min(3 * RAW_BYTES + 1, self._form.max_record_bytes)]
        raw = self._in_file(kept)
        return Fault(
            reason=wrong.reason,
            detail=wrong.detail,
            record_number=self.records,
            line_number=self._line,
            byte_offset=self.bytes_read,
            column=wrong.column,
            raw=raw[:RAW_BYTES],
            truncated=len(kept) < len(whole) or len(raw) > RAW_BYTES,
        )

    # The buffer

    def _fill(self) -> None:
        """Read on, at least doubling the buffer, so that long records cost linear time."""
        if self._broken:
            self.records += bool(self.header)  # the one that cannot be read
            raise self._refusal(Reason(self._broken.reason), self._broken.detail)
        parts = [self._buffer]
        wanted = self._filled + max(len(self._buffer), 1)
        try:
            while self._filled < wanted and not (self._final or self._broken):
                block = next(self._blocks, None)
                if block is None:
                    self._final = True
                else:
                    parts.append(block)
                    self._filled += len(block)
        except SourceError as error:
            self._broken = error
        self._buffer = b"".join(parts)

    def _consume(self, length: int, lines: int | None = None) -> bytes:
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        self._line += taken.count(b"\n") if lines is None else lines
        self.bytes_read += len(self._in_file(taken))
        return taken

    def _in_file(self, utf8: bytes) -> bytes:
        """Give bytes of the buffer as they stand in the file (a cut character is left out)."""
        if self._form.codec == "utf-8":
            return utf8
        return utf8.decode(errors="ignore").encode(self._form.codec)


def _closing_quote(buffer: bytes, at: int) -> int:
    """Where the quoted value around `at` closes, or -1."""
    while (at := buffer.find(b'"', at)) >= 0 and buffer.startswith(b'"', at + 1):
        at += 2
    return at


def _value(written: bytes) -> bytes:
    """Take off the quotes."""
    return written[1:-1].replace(b'""', b'"') if written.startswith(b'"') else written


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:64]) for name in names[:20])
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")
