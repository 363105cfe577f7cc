"""Rows as Arrow batches: types as the server states them, a bounded number of rows at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

import pyarrow as pa

from loaders.errors import UsageError

ROWS_PER_BATCH = 10_000
NUMERIC = 1700
_TYPES: dict[int, pa.DataType] = {
    16: pa.bool_(),
    17: pa.binary(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    700: pa.float32(),
    701: pa.float64(),
    1082: pa.date32(),
    1083: pa.time64("us"),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", "UTC"),
}
UNSTATED_SCALE = {b"type": b"numeric without a stated scale"}
"""Metadata of a text column that holds plain decimals: sums have a type, but no scale."""


@dataclass(frozen=True)
class AnswerColumn:
    """A column of an answer: type and modifier are the protocol's, -1 for no modifier."""

    name: str
    type: int
    modifier: int = -1


@dataclass(frozen=True)
class Batches:
    """An answer: its schema, and batches that are read from the server while they are iterated."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def schema_of(columns: Iterable[AnswerColumn]) -> pa.Schema:
    """Return the Arrow schema; what has no type of its own there becomes text."""
    return pa.schema([_field(column) for column in columns])


def in_batches(
    columns: Sequence[AnswerColumn], rows: Iterable[tuple[Any, ...]], limit: int | None
) -> Batches:
    """Return the rows, at most `limit` of them. Raises UsageError for a value that has no place."""
    schema = schema_of(columns)
    return Batches(schema, (_batch(schema, some) for some in _some(islice(rows, limit))))


def _some(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    rows = iter(rows)
    while some := list(islice(rows, ROWS_PER_BATCH)):
        yield some


def _field(column: AnswerColumn) -> pa.Field:
    if column.type != NUMERIC:
        return pa.field(column.name, _TYPES.get(column.type, pa.string()))
    precision, scale = ((column.modifier - 4) >> 16) & 0xFFFF, (column.modifier - 4) & 0x7FF
    if column.modifier < 4 or not scale <= precision <= 38:
        return pa.field(column.name, pa.string(), metadata=UNSTATED_SCALE)
    return pa.field(column.name, pa.decimal128(precision, scale))


def _batch(schema: pa.Schema, rows: Sequence[tuple[Any, ...]]) -> pa.RecordBatch:
    arrays = []
    for field, values in zip(schema, zip(*rows, strict=True), strict=True):
        texts = pa.types.is_string(field.type)
        try:
            arrays.append(pa.array(map(_text, values) if texts else values, field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise UsageError(
                f"column {field.name!r} has a value that is no {field.type}"
            ) from error
    return pa.record_batch(arrays, schema=schema)


def _text(value: Any) -> str | None:
    match value:
        case None | str():
            return value
        case Decimal():
            return format(value, "f")  # never with an exponent
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, default=_text)
        case _:
            return str(value)
