"""The JSON scanner: cuts a staged file into its documents and checks each, byte by byte as it is.

Documents are never encoded anew: what the file says is what the warehouse gets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from itertools import accumulate
from typing import Any

from loaders.formats.faults import RAW_BYTES, Fault, FileRefused, Located, Reason, Rejects
from loaders.formats.json_form import MAX_DEPTH, MAX_DIGITS, MAX_STRING_BYTES, JsonForm
from loaders.formats.source_bytes import ByteStream, SourceError, limited, plain_blocks

CHUNK_BYTES = 256 * 1024
_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(r"[ \t\r\n]*")
# A number that may be too large: many digits, or an exponent. Strings match too; that costs time.
_LARGE = re.compile(rb"[0-9.]{39}|[0-9][eE]")
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)


class _WrongError(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class JsonScanner:
    """One pass over one file, in memory bounded by its longest document.

    `chunks()` yields the documents as CSV of one column. What it yielded before it raised
    `FileRefused` must be discarded with the file. Up to `max_rejects` documents are left out and
    kept in `rejected` instead: those whose end is certain although they are wrong, which are the
    well-formed ones, lines of a file with a document a line, and a file's cut-off end.
    """

    def __init__(self, stream: ByteStream, form: JsonForm, max_rejects: int = 0) -> None:
        self.header: tuple[str, ...] = tuple(form.columns)
        self.records = 0
        """Documents read so far, rejected ones included."""
        self._rejects = Rejects(max_rejects)
        self.rejected = self._rejects.faults
        self.bytes_read = 0
        """Bytes of the file, decompressed, that were consumed so far."""
        self._form = form
        self._blocks = limited(plain_blocks(stream), form.max_bytes)
        self._buffer = b""  # begins between two documents
        self._at = 0  # where in it the document begins that was yielded last
        self._filled = 0  # bytes that ever came into the buffer
        self._final = False  # the buffer holds the rest of the file
        self._broken: SourceError | None = None  # met behind the buffer's end
        self._line = 1
        self._document_a_line: bool | None = None  # unknown before the second document
        self._line_ended = False  # since the last document
        self._repeated: list[str] = []  # keys, of the document being parsed
        # Latin-1 gives every byte its own character, so that the decoder's places are bytes.
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def chunks(self) -> Iterator[bytes]:
        """Yield the documents as CSV of one quoted column, whole records a chunk; once."""
        chunk: list[bytes] = []
        size = 0
        for document in self.documents():
            chunk.append(b'"' + document.replace(b'"', b'""') + b'"\n')
            size += len(document)
            if size > CHUNK_BYTES:
                yield b"".join(chunk)
                chunk, size = [], 0
        if chunk:
            yield b"".join(chunk)

    def documents(self) -> Iterator[bytes]:
        """Yield each document as it stands in the file; once."""
        self._fill()
        if self._buffer.startswith(_BOM):
            self._consume(len(_BOM))
        while True:
            text = self._buffer.decode("latin-1")
            at = end = _end_of_blanks(text, 0)
            self._line_ended |= "\n" in text[:at]
            while at < len(text):
                try:
                    end = self._end(text, at)
                except (ValueError, RecursionError):
                    break  # wrong, or cut by the buffer's end
                document = self._buffer[at:end]
                self._document_a_line = self._is_on_a_line() and b"\n" not in document
                self.records += 1
                try:
                    self._check(document)
                except _WrongError as wrong:
                    self._rejects.add(self._fault(wrong, at, end))
                else:
                    self._at = at
                    yield document
                at = _end_of_blanks(text, end)
                self._line_ended = "\n" in text[end:at]
            self._consume(min(at, len(self._buffer)))
            if not self._buffer and self._final:
                return
            if not self._final and len(self._buffer) <= self._form.max_document_bytes:
                self._fill()
            elif self._buffer:
                self._reject_malformed()

    def located(self, _columns: Collection[str]) -> Iterator[Located]:
        """Yield each good document with its place; once, instead of `chunks()`."""
        for document in self.documents():
            line = self._line + self._buffer.count(b"\n", 0, self._at)
            # Numbers as they are written.
            values = json.loads(document, parse_float=str, parse_int=str)
            yield Located(self.records, line, self.bytes_read + self._at, values)

    # One document

    def _is_on_a_line(self) -> bool | None:
        """Whether a document a line is what the file has, up to here; None before the second."""
        if self.records == 0:
            return None
        return self._document_a_line is not False and self._line_ended

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            self._repeated += [name for name in found if names.count(name) > 1]
        return found

    def _end(self, text: str, at: int) -> int:
        """Where the document at `at` ends. Raises ValueError if it is none, or not all here."""
        self._repeated = []
        if text[at] != "{":
            _, end = json.JSONDecoder().raw_decode(text, at)
            if end == len(text) and not self._final:
                raise ValueError("a number may go on")
            return end
        return self._decoder.raw_decode(text, at)[1]

    def _check(self, document: bytes) -> None:
        """Raise _WrongError if the two warehouses would not read the document alike."""
        if not document.startswith(b"{"):
            raise _WrongError(Reason.NOT_AN_OBJECT, "the document is not an object: {…}")
        most = self._form.max_document_bytes
        if len(document) > most:
            raise _WrongError(Reason.RECORD_TOO_LONG, f"the document is longer than {most} bytes")
        if self._repeated:
            name = self._repeated[0].encode("latin-1", "replace").decode(errors="replace")
            raise _WrongError(
                Reason.DUPLICATE_KEY_IN_OBJECT, f"the key {name[:64]!r} stands twice in an object"
            )
        if document.count(b"{") + document.count(b"[") > MAX_DEPTH and _depth(document) > MAX_DEPTH:
            raise _WrongError(Reason.TOO_DEEP, f"it is nested in more than {MAX_DEPTH} levels")
        try:
            text = document.decode()
        except UnicodeDecodeError as error:
            detail = f"byte {document[error.start]:#04x} of the document is not UTF-8"
            raise _WrongError(Reason.INVALID_ENCODING, detail) from None
        if b"NaN" in document or b"Infinity" in document or _LARGE.search(document):
            _check_numbers(text)
        if b"\\u" in document or len(document) > MAX_STRING_BYTES:
            self._check_strings(text)

    def _check_strings(self, text: str) -> None:
        """Look at the strings as they are after their escapes."""
        self._repeated = []
        for value in _strings(self._decoder.decode(text)):
            if "\0" in value:
                raise _WrongError(
                    Reason.NUL_CHARACTER, "a string holds \\u0000, which no warehouse stores"
                )
            try:
                octets = len(value.encode())
            except UnicodeEncodeError:
                detail = "a string holds half of a surrogate pair"
                raise _WrongError(Reason.LONE_SURROGATE, detail) from None
            if octets > MAX_STRING_BYTES:
                detail = f"a string holds {octets} bytes, {MAX_STRING_BYTES} are allowed"
                raise _WrongError(Reason.VALUE_TOO_LONG, detail)
        if self._repeated:
            detail = f"the key {self._repeated[0][:64]!r} stands twice in an object"
            raise _WrongError(Reason.DUPLICATE_KEY_IN_OBJECT, detail)

    # Refusals

    def _reject_malformed(self) -> None:
        """Reject what the buffer begins with, or the file if nobody can tell where that ends."""
        wrong = _WrongError(Reason.NOT_JSON, self._what_is_wrong())
        if len(self._buffer) > self._form.max_document_bytes:
            most = self._form.max_document_bytes
            wrong = _WrongError(
                Reason.RECORD_TOO_LONG, f"no document ends within {most} bytes from here"
            )
        line_end = self._buffer.find(b"\n") + 1
        cut = self._final and not line_end
        a_line = self._is_on_a_line()
        if a_line is None:
            a_line = line_end > 0 and self._a_line_is_a_document(line_end)
        self.records += 1
        if a_line and line_end:
            end = line_end
        elif (a_line and cut) or (cut and _depth(self._buffer, unclosed=True)):
            end = len(self._buffer)
        else:
            raise FileRefused(self._fault(wrong, 0, len(self._buffer)))
        self._document_a_line, self._line_ended = a_line, line_end > 0
        self._rejects.add(self._fault(wrong, 0, end))
        self._consume(end)

    def _a_line_is_a_document(self, at: int) -> bool:
        """Whether the next document behind `at` ends with its line."""
        text = self._buffer.decode("latin-1")
        at = _end_of_blanks(text, at)
        try:
            end = self._end(text, at) if at < len(text) else at
        except (ValueError, RecursionError):
            return False
        behind = text[end : _end_of_blanks(text, end)]
        is_last = self._final and end + len(behind) == len(text)
        return end > at and ("\n" in behind or is_last)

    def _what_is_wrong(self) -> str:
        try:
            json.loads(self._buffer.decode(errors="replace"))
        except json.JSONDecodeError as error:
            return f"{error.msg[:1].lower()}{error.msg[1:]} at byte {error.pos} of the document"
        except RecursionError:
            return f"it is nested in more than {MAX_DEPTH} levels"
        return "the document is not JSON"

    def _fault(self, wrong: _WrongError, at: int, end: int) -> Fault:
        whole = self._buffer[at:end].rstrip(b"\r\n")
        return Fault(
            reason=wrong.reason,
            detail=wrong.detail,
            record_number=self.records,
            line_number=self._line + self._buffer.count(b"\n", 0, at),
            byte_offset=self.bytes_read + at,
            column=self.header[0],
            raw=whole[:RAW_BYTES],
            truncated=len(whole) > RAW_BYTES,
        )

    # The buffer

    def _fill(self) -> None:
        """Read on, at least doubling the buffer, so that long documents cost linear time."""
        parts = [self._buffer]
        wanted = self._filled + max(len(self._buffer), 1)
        while self._filled < wanted and not self._final:
            if self._broken:
                self.records += 1
                wrong = _WrongError(Reason(self._broken.reason), self._broken.detail)
                raise FileRefused(self._fault(wrong, 0, len(self._buffer)))
            try:
                block = next(self._blocks, None)
            except SourceError as error:
                self._broken = error
                continue
            if block is None:
                self._final = True
            else:
                parts.append(block)
                self._filled += len(block)
        self._buffer = b"".join(parts)

    def _consume(self, length: int) -> None:
        self._line += self._buffer.count(b"\n", 0, length)
        self.bytes_read += length
        self._buffer = self._buffer[length:]


def _end_of_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _depth(document: bytes, *, unclosed: bool = False) -> int:
    """Return how deep the document is nested, or how many brackets are open at its end."""
    steps = [
        1 if token in b"[{" else -1
        for token in _STRUCTURE.findall(document)
        if not token.startswith(b'"')
    ]
    return sum(steps) if unclosed else max(accumulate(steps), default=0)


def _check_numbers(text: str) -> None:
    def checked(number: str) -> None:
        value = Decimal(number)
        digits = len(value.as_tuple().digits)
        if not value.is_finite() or digits > MAX_DIGITS or abs(value.adjusted()) >= MAX_DIGITS:
            raise _WrongError(
                Reason.NUMBER_OUT_OF_RANGE,
                f"the number {number[:64]} has more than {MAX_DIGITS} digits",
            )

    json.loads(text, parse_float=checked, parse_int=checked, parse_constant=checked)


def _strings(value: Any) -> Iterator[str]:
    """Yield the strings of a parsed document, keys included."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            todo += item.keys()
            todo += item.values()
        elif isinstance(item, list):
            todo += item
