"""Why a file, or one record of it, is refused, and how that is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from loaders.errors import DataRefused

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


@dataclass(frozen=True)
class Located:
    """One good record: where it stands, counted as in `Fault`, and its values as text.

    Rows of Parquet have neither line nor byte. `values` are by name: of the wanted columns, or
    the whole document.
    """

    record_number: int
    line_number: int | None
    byte_offset: int | None
    values: Mapping[str, Any]


class FileRefused(DataRefused):
    """The file is not in its contract's form; `fault` says where and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


@dataclass
class Rejects:
    """The records left out of one file: at most `allowed`, whole, and in bounded memory."""

    allowed: int
    faults: list[Fault] = field(default_factory=list)
    _bytes: int = 0

    def add(self, fault: Fault) -> None:
        """Leave out one more record; raise FileRefused with its fault if that is too much."""
        if not self.allowed:
            raise FileRefused(fault)
        self._bytes += len(fault.raw)
        too_much = None
        if len(self.faults) >= self.allowed:
            too_much = f"max_rejects {self.allowed} is used up"
        elif fault.truncated:
            too_much = f"a record of more than {RAW_BYTES} bytes is not rejected by itself"
        elif self._bytes > MAX_REJECTED_BYTES:
            too_much = f"the rejected records hold more than {MAX_REJECTED_BYTES} bytes"
        if too_much:
            raise FileRefused(replace(fault, detail=f"{fault.detail}; {too_much}"))
        self.faults.append(fault)
