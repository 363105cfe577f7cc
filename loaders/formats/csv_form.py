"""The strict CSV form: what a contract declares."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass

from loaders.errors import UsageError
from loaders.formats.faults import MAX_BYTES

# Encodings whose decoding is undone exactly by encoding, so that offsets and raw bytes of a
# refused record are those of the file.
ENCODINGS = frozenset(
    ["utf-8", "utf-16-le", "utf-16-be", "ascii", "koi8-r", "cp437", "cp850", "cp852", "cp866"]
    + [f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 7, 9, 10, 13, 14, 15, 16)]
    + [f"cp125{page}" for page in range(9)]
)


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
