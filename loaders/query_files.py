"""Answers as files: streamed, with their types, and there whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loaders.display import print_csv
from loaders.errors import UsageError
from loaders.warehouse.arrow_rows import UNSTATED_SCALE, Batches

FORMS = (".parquet", ".csv")
_PLAIN_DECIMAL = r"^-?\d+(\.\d+)?$"
_MOST_DIGITS = 38  # of a decimal128


def check_form(path: Path) -> None:
    """Raise UsageError unless the name says which form the file shall have."""
    if path.suffix not in FORMS:
        raise UsageError(f"{path}: name the file {' or '.join('*' + form for form in FORMS)}")


def write_file(answer: Batches, path: Path) -> int:
    """Write the answer to `path`, in the form its name says; return the number of rows.

    A file of that name is replaced at the end; after an error, or when interrupted, it stays as
    it was.
    """
    check_form(path)
    try:
        with _replacing(path) as part:
            return _write_csv(answer, part) if path.suffix == ".csv" else _write(answer, part)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{path} cannot be written: {reason}") from None


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a name beside `path` for a file that takes its place if the block ends well."""
    part = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_csv(answer: Batches, to: Path) -> int:
    count = Counter[str]()

    def rows() -> Iterator[tuple[Any, ...]]:
        for batch in answer.batches:
            count["rows"] += batch.num_rows
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)

    with to.open("x", encoding="utf-8", newline="") as file:
        print_csv(answer.schema.names, rows(), file)
    return count["rows"]


def _write(answer: Batches, to: Path) -> int:
    """Write Parquet. Decimals whose scale the server did not state get the one they need."""
    twice = [name for name, count in Counter(answer.schema.names).items() if count > 1]
    if twice:
        raise UsageError(f"several columns are called {twice[0]!r}: name them apart with `as`")
    digits = {f.name: _Digits() for f in answer.schema if f.metadata == UNSTATED_SCALE}
    rows = 0
    with pq.ParquetWriter(to, answer.schema) as writer:
        for batch in answer.batches:
            writer.write_batch(batch)
            rows += batch.num_rows
            for name, seen in digits.items():
                seen.add(batch.column(name))
    if digits:
        types = {name: seen.type for name, seen in digits.items()}
        with _replacing(to) as again:
            _retype(to, again, types)
    return rows


class _Digits:
    """The digits that a column of plain decimals needs, before and after the point."""

    def __init__(self) -> None:
        self._whole, self._scale, self._plain = 1, 0, True

    def add(self, values: pa.Array) -> None:
        whole = pc.replace_substring_regex(values, r"^-?0*|\..*$", "")
        fraction = pc.replace_substring_regex(values, r"^[^.]*\.?", "")
        self._whole = max(self._whole, _longest(whole))
        self._scale = max(self._scale, _longest(fraction))
        plain = pc.all(pc.match_substring_regex(values, _PLAIN_DECIMAL)).as_py()
        self._plain = self._plain and plain is not False  # None where all are null

    @property
    def type(self) -> pa.DataType:
        """The decimal that holds them all; text if there is none: too many digits, or NaN."""
        if not self._plain or self._whole + self._scale > _MOST_DIGITS:
            return pa.string()
        return pa.decimal128(_MOST_DIGITS, self._scale)


def _longest(texts: pa.Array) -> int:
    return int(pc.max(pc.utf8_length(texts)).as_py() or 0)


def _retype(written: Path, to: Path, types: dict[str, pa.DataType]) -> None:
    with pq.ParquetFile(written) as file:
        schema = pa.schema([pa.field(f.name, types.get(f.name, f.type)) for f in file.schema_arrow])
        with pq.ParquetWriter(to, schema) as writer:
            for group in range(file.num_row_groups):
                writer.write_table(file.read_row_group(group).cast(schema))
