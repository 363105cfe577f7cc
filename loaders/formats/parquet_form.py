"""Parquet: what a contract declares, and which of the format's types its columns may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from loaders.errors import UsageError
from loaders.formats.faults import MAX_BYTES
from loaders.warehouse.types import ColumnType

_TYPES: dict[str, tuple[pa.DataType, ...]] = {
    "varchar": (pa.string(), pa.large_string()),
    "smallint": (pa.int8(), pa.int16()),
    "integer": (pa.int32(),),
    "bigint": (pa.int64(),),
    "double precision": (pa.float64(),),
    "boolean": (pa.bool_(),),
    "date": (pa.date32(),),
}
SUPPORTED = sorted([*_TYPES, "decimal", "timestamp"])


@dataclass(frozen=True)
class ParquetForm:
    """Flat Parquet files whose columns have the contract's names, order and types.

    COPY on Redshift goes by the order alone, so another one is refused.

    `max_bytes` bounds the stored file: it is spooled to disk, since its index stands at its end.
    """

    columns: Mapping[str, ColumnType]
    max_bytes: int | None = MAX_BYTES

    def __post_init__(self) -> None:
        for name, kind in self.columns.items():
            if kind.name not in SUPPORTED:
                known = ", ".join(SUPPORTED)
                raise UsageError(f"parquet: column {name!r} is {kind}; use one of: {known}")


def fits(found: pa.DataType, declared: ColumnType) -> bool:
    """Whether COPY on Redshift takes the file's type for the declared one: it converts nothing.

    Source: Amazon Redshift Database Developer Guide, "COPY from columnar data formats".
    """
    if pa.types.is_dictionary(found):
        found = found.value_type
    if declared.name == "decimal":
        precision, scale = declared.arguments
        return bool(
            pa.types.is_decimal128(found) and found.scale == scale and found.precision <= precision
        )
    if declared.name == "timestamp":
        return bool(pa.types.is_timestamp(found) and found.tz in (None, "UTC"))
    return found in _TYPES[declared.name]
