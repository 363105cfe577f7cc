"""The strict CSV form: what a contract declares, and how a refusal is told."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from loaders.errors import DataRefused, UsageError

# Encodings whose decoding is undone exactly by encoding, so that offsets and raw bytes of a
# refused record are those of the file.
ENCODINGS = frozenset(
    ["utf-8", "utf-16-le", "utf-16-be", "ascii", "koi8-r", "cp437", "cp850", "cp852", "cp866"]
    + [f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 7, 9, 10, 13, 14, 15, 16)]
    + [f"cp125{page}" for page in range(9)]
)


# Of a refused record are kept: as hexadecimal text they fit into a varchar of Redshift.
RAW_BYTES = 32_767
# Of all records rejected from one file are kept, so that memory is bounded.
MAX_REJECTED_BYTES = 1024 * 1024


# A file holds at most, decompressed, unless its contract says otherwise: gzip can expand to a
# thousand times its size, and COPY is best fed with files of up to 1 GB compressed.
MAX_BYTES = 16 * 1024**3


class Reason(StrEnum):
    """Why a record, or the whole file, was refused; the text is what the ledger stores."""

    NO_HEADER = "no_header"
    HEADER_DIFFERS = "header_differs"
    DUPLICATE_HEADER = "duplicate_header"
    NOT_DELIMITED_TEXT = "not_delimited_text"
    FIELD_COUNT = "field_count"
    VALUE_TOO_LONG = "value_too_long"
    NUL_BYTE = "nul_byte"
    INVALID_ENCODING = "invalid_encoding"
    BLANK_LINE = "blank_line"
    STRAY_QUOTE = "stray_quote"
    BLANK_AROUND_QUOTE = "blank_around_quote"
    TEXT_AFTER_QUOTE = "text_after_quote"
    UNTERMINATED_QUOTE = "unterminated_quote"
    MIXED_LINE_ENDS = "mixed_line_ends"
    BARE_CR = "bare_cr"
    RECORD_TOO_LONG = "record_too_long"
    FILE_TOO_LARGE = "file_too_large"
    GZIP_CORRUPT = "gzip_corrupt"
    GZIP_TRUNCATED = "gzip_truncated"
    GZIP_TRAILING_GARBAGE = "gzip_trailing_garbage"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_KEY_IN_OBJECT = "duplicate_key_in_object"
    NUL_CHARACTER = "nul_character"
    LONE_SURROGATE = "lone_surrogate"
    NUMBER_OUT_OF_RANGE = "number_out_of_range"
    TOO_DEEP = "too_deep"
    NOT_PARQUET = "not_parquet"
    TYPE_DIFFERS = "type_differs"


# After these the next record's start is certain, so one record can be rejected by itself. After
# any other the rest of the file would be a guess.
OF_ONE_RECORD = frozenset(
    [
        Reason.FIELD_COUNT,
        Reason.VALUE_TOO_LONG,
        Reason.NUL_BYTE,
        Reason.INVALID_ENCODING,
        Reason.BLANK_LINE,
        Reason.STRAY_QUOTE,
    ]
)


@dataclass(frozen=True)
class Fault:
    """One refused record, or the place where the file as a whole became unreadable."""

    reason: Reason
    detail: str
    record_number: int  # 1 is the first record after the header, 0 the header
    line_number: int  # of the record's first line in the file, from 1
    byte_offset: int  # of the record's first byte in the file, decompressed, from 0
    column: str | None
    raw: bytes  # the record as it stands in the file, decompressed, without its line end
    truncated: bool  # `raw` is only the beginning

    def __str__(self) -> str:
        place = f"record {self.record_number}" if self.record_number else "header"
        return (
            f"line {self.line_number} ({place}, byte {self.byte_offset}): "
            f"{self.reason}: {self.detail}"
        )


class CsvRefused(DataRefused):
    """The file is not in the strict form; `fault` says where and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass(frozen=True)
class CsvForm:
    """A delimited file as its contract declares it.

    `columns` maps each column, in the contract's order, to the octets its values may have in
    UTF-8 (None: any number). `skip_lines` lines stand before the header. With
    `trailing_delimiter` every line ends in one delimiter more; the header may.
    `max_bytes` bounds the decompressed file, `max_record_bytes` a record and thereby memory.
    """

    columns: Mapping[str, int | None]
    delimiter: str = ","
    encoding: str = "utf-8"
    header: bool = True
    skip_lines: int = 0
    trailing_delimiter: bool = False
    max_record_bytes: int = 4 * 1024 * 1024
    max_bytes: int | None = MAX_BYTES

    def __post_init__(self) -> None:
        if not self.columns:
            raise UsageError("csv: the contract declares no columns")
        one_ascii = len(self.delimiter) == 1 and self.delimiter.isascii()
        if not one_ascii or self.delimiter in '"\r\n\0':
            raise UsageError(
                f"csv: delimiter {self.delimiter!r} must be one ASCII character, "
                "and no quote, line end or NUL"
            )
        if self.codec not in ENCODINGS:
            raise UsageError(
                f"csv: encoding {self.encoding!r} is not supported; "
                f"use one of: {', '.join(sorted(ENCODINGS))}"
            )

    @property
    def codec(self) -> str:
        """Python's own name of the declared encoding; the declared one if it is unknown."""
        try:
            return codecs.lookup(self.encoding).name
        except LookupError:
            return self.encoding
