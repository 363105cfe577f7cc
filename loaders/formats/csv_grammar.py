"""The grammar of many records at once: one regular expression instead of a loop over fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from loaders.formats.csv_form import CsvForm

_NEITHER_QUOTE_NOR_LINE_FEED = bytes(byte for byte in range(256) if byte not in b'"\n')


class Prefix(NamedTuple):
    """How much of a buffer is certainly good."""

    length: int
    records: int
    lines: int


class Grammar:
    """Compiled checks of whole records for one file's columns, delimiter and line end.

    Where they say yes, `CsvScanner` would accept the same records one by one, about a hundred
    times slower; where they do not, it looks record by record.
    """

    def __init__(self, form: CsvForm, header: Sequence[str], line_end: bytes) -> None:
        self._delimiter = form.delimiter.encode()
        self._trailing = form.trailing_delimiter
        self._is_canonical = form.delimiter == "," and not form.trailing_delimiter
        delimiters = len(header) - 1 + form.trailing_delimiter  # in one record

        # Of unquoted records: first what is left of each without its ordinary bytes, then the
        # octets of each value. Excluding one byte is several times faster than excluding a set.
        self._skeleton = self._delimiter * delimiters + line_end
        special = self._delimiter + b'\n\r"\0'
        self._ordinary = bytes(byte for byte in range(256) if byte not in special)
        limits = b""
        # Of any records. The value's end stands inside the atomic group, so that nothing but the
        # three ways to write a value is ever tried again; the last counts a doubled quote as one.
        # Possessive repeats keep no state for each turn: greedy ones took 480 MB for 4 MB.
        strict = b""
        delimiter = re.escape(self._delimiter)
        least = 1 if len(header) == 1 else 0  # a lone empty value would be a blank line
        for number, name in enumerate(header):
            most = form.columns[name]
            upto = b"" if most is None else b"%d" % most
            end = delimiter if number < delimiters else line_end
            limits += b"[^%b]{%d,%b}+%b" % (end.removesuffix(b"\n") or end, least, upto, end)
            ways = rb'"[^"]{0,%b}+"|[^%b"\r\n]{%d,%b}+|"(?:[^"]|""){0,%b}+"'
            strict += rb"(?>(?:%b)%b)" % (ways % (upto, delimiter, least, upto, upto), end)
        if form.trailing_delimiter:
            limits, strict = limits + line_end, strict + line_end
        self._limits = re.compile(b"(?:%b)*+" % limits)
        self._strict = re.compile(b"(?:%b)*+" % strict)
        # An unquoted value that holds a comma; the lookbehind keeps it to the values' beginnings,
        # without it long values would cost quadratic time.
        self._comma_inside = re.compile(
            rb"(?<![^%b\n])[^,%b\n]*+,[^%b\r\n]*+" % (delimiter, delimiter, delimiter)
        )
        self._token = re.compile(rb'"[^"]*+"|[^%b"\r\n]++|%b(\r?\n)?' % (delimiter, delimiter))

    def good_prefix(self, buffer: bytes) -> Prefix:
        """Return the good whole records that `buffer` certainly begins with."""
        if b'"' not in buffer and (found := self._plain_prefix(buffer)):
            return found
        readable = len(buffer) if (nul := buffer.find(b"\0")) < 0 else nul
        try:
            buffer[:readable].decode()
        except UnicodeDecodeError as error:
            readable = error.start
        matched = self._strict.match(buffer, 0, readable)
        length = matched.end() if matched else 0
        records = _count_unquoted(buffer[:length])
        return Prefix(length, records, buffer.count(b"\n", 0, length))

    def _plain_prefix(self, buffer: bytes) -> Prefix | None:
        lines = buffer[: buffer.rfind(b"\n") + 1]
        skeleton = lines.translate(None, self._ordinary)
        records = len(skeleton) // len(self._skeleton)
        if skeleton != self._skeleton * records or not self._limits.fullmatch(lines):
            return None
        try:
            lines.decode()
        except UnicodeDecodeError:
            return None
        return Prefix(len(lines), records, records)

    def canonical(self, records: bytes) -> bytes:
        """Write good whole records as RFC 4180 with commas and no trailing delimiter."""
        if self._is_canonical:
            return records
        if b'"' in records or self._delimiter == b",":
            return self._token.sub(self._canonical_token, records)
        records = self._comma_inside.sub(lambda value: b'"%b"' % value[0], records)
        if self._trailing:
            records = records.replace(self._delimiter + b"\n", b"\n")
            records = records.replace(self._delimiter + b"\r\n", b"\r\n")
        return records.replace(self._delimiter, b",")

    def _canonical_token(self, token: re.Match[bytes]) -> bytes:
        text = token[0]
        if text.startswith(self._delimiter):
            line_end: bytes = token[1] or b""
            return line_end if line_end and self._trailing else b"," + line_end
        return b'"%b"' % text if b"," in text and not text.startswith(b'"') else text


def _count_unquoted(records: bytes) -> int:
    """Return how many line feeds of good records stand outside quotes."""
    skeleton = records.translate(None, _NEITHER_QUOTE_NOR_LINE_FEED)
    first, lines = skeleton[: skeleton.find(b"\n") + 1], skeleton.count(b"\n")
    alike = len(first) * lines == len(skeleton) and skeleton == first * lines
    if alike and first.count(b'"') % 2 == 0:
        return lines
    # Two quotes without a line feed between them leave every line feed inside, or outside.
    pieces = skeleton.replace(b'""', b"").split(b'"')
    return b"".join(pieces[::2]).count(b"\n")
