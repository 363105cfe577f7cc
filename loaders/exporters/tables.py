"""The three tables of staged HPC files, as Parquet whose columns are the contracts' own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from loaders.errors import DataRefused
from loaders.exporters.dataset import Block, Coded, Flags, Text, Variable

Columns = Mapping[str, str]  # name: portable type, in the contract's order

OBSERVATIONS: Columns = {
    "experiment_id": "varchar(36)",
    "file_id": "varchar(64)",
    "variable": "varchar(256)",
    "position": "bigint",
    "standard_name": "varchar(256)",
    "unit": "varchar(128)",
    "observed_at": "timestamp",
    "latitude": "double precision",
    "longitude": "double precision",
    "height_m": "double precision",
    "station": "varchar(256)",
    "coordinates": "varchar(1024)",
    "value": "double precision",
    "is_in_valid_range": "boolean",
    "quality_flag": "varchar(256)",
}
VARIABLES: Columns = {
    "experiment_id": "varchar(36)",
    "file_id": "varchar(64)",
    "variable": "varchar(256)",
    "role": "varchar(16)",
    "standard_name": "varchar(256)",
    "long_name": "varchar(1024)",
    "unit": "varchar(128)",
    "data_type": "varchar(32)",
    "dimensions": "varchar(1024)",
    "value_count": "bigint",
    "missing_count": "bigint",
    "staged_count": "bigint",
    "attributes": "varchar(65535)",
}
FILES: Columns = {
    "experiment_id": "varchar(36)",
    "file_id": "varchar(64)",
    "file_name": "varchar(512)",
    "format": "varchar(16)",
    "bytes": "bigint",
    "archive_bucket": "varchar(63)",
    "archive_key": "varchar(1024)",
    "is_staged": "boolean",
    "value_count": "bigint",
    "missing_count": "bigint",
    "staged_count": "bigint",
    "attributes": "varchar(65535)",
}
_ARROW = {
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "double precision": pa.float64(),
    "timestamp": pa.timestamp("us"),
}
_TEXT = pa.string()
_CODED = pa.dictionary(pa.int32(), _TEXT)
ROW_GROUP_ROWS = 1 << 17
"""Some megabytes. Redshift reads a Parquet file of 128 MB or more in parallel, by row groups."""
_SHORTENED = "…"
_REPEATING = [name for name, kind in OBSERVATIONS.items() if kind.startswith("varchar")]


@dataclass
class Counts:
    """What became of a variable's values: in = missing + staged."""

    missing: int = 0
    staged: int = 0


class ObservationWriter:
    """Writes a file's observations in equal row groups; missing values become no rows.

    A row group is written by another thread while the next one is read.
    """

    def __init__(self, target: Path, experiment_id: str, file_id: str, place: str) -> None:
        self._constant = {"experiment_id": experiment_id, "file_id": file_id}
        self._place = place
        self._schema = schema(OBSERVATIONS, _CODED)
        self._writer = pq.ParquetWriter(
            target, self._schema, compression="snappy", use_dictionary=_REPEATING,
            store_schema=False,  # readers see text, not codes
        )  # fmt: skip
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None
        self._waiting: list[pa.RecordBatch] = []  # less than a row group
        self.counts: dict[str, Counts] = {}
        """By variable, so far."""

    def write(self, block: Block) -> None:
        """Add a block. Raises DataRefused when a text is longer than its column."""
        keep = ~block.missing
        count = self.counts.setdefault(block.variable.name, Counts())
        count.staged += int(keep.sum())
        count.missing += int(block.missing.sum())
        if not keep.any():
            return
        variable = block.variable
        arrays: dict[str, Any] = {
            "position": np.arange(block.first, block.first + len(keep))[keep],
            "observed_at": _kept(block.observed_at, keep),
            "latitude": _kept(block.latitude, keep),
            "longitude": _kept(block.longitude, keep),
            "height_m": _kept(block.height_m, keep),
            "value": block.values[keep],
            "is_in_valid_range": _kept(block.in_valid_range, keep),
        }
        texts: dict[str, Text] = {
            **self._constant,
            "variable": variable.name,
            "standard_name": variable.text("standard_name"),
            "unit": variable.text("units"),
            "station": block.station,
            "coordinates": block.coordinates,
            "quality_flag": block.quality_flag,
        }
        rows = int(keep.sum())
        columns = [
            self._text(name, texts[name], keep, variable)
            if name in texts
            else _array(arrays[name], kind, rows)
            for name, kind in OBSERVATIONS.items()
        ]
        self._waiting.append(pa.record_batch(columns, schema=self._schema))
        if sum(batch.num_rows for batch in self._waiting) >= ROW_GROUP_ROWS:
            waiting = pa.Table.from_batches(self._waiting)
            self._write_group(waiting.slice(0, ROW_GROUP_ROWS))
            self._waiting = waiting.slice(ROW_GROUP_ROWS).to_batches()

    def close(self) -> None:
        """Write the rest and the end of the file."""
        with self._thread, self._writer:
            if self._waiting:
                self._write_group(pa.Table.from_batches(self._waiting))
                self._waiting = []
            self._wait()

    def _write_group(self, rows: pa.Table) -> None:
        self._wait()
        rows = rows.unify_dictionaries()  # else the writer gives codes up
        self._writing = self._thread.submit(self._writer.write_table, rows, ROW_GROUP_ROWS)

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()

    def _text(self, name: str, text: Text, keep: Flags, variable: Variable) -> pa.Array:
        rows = int(keep.sum())
        labels = text.labels if isinstance(text, Coded) else (text,)
        for label in labels:
            _check_length(OBSERVATIONS, name, label, f"{self._place}: variable {variable.name}")
        if text is None:
            return pa.nulls(rows, _CODED)
        codes = text.codes[keep] if isinstance(text, Coded) else np.zeros(rows, np.intp)
        absent = np.array([label is None for label in labels])[codes]
        return pa.DictionaryArray.from_arrays(
            pa.array(codes.astype(np.int32), mask=absent), [label or "" for label in labels]
        )


def schema(columns: Columns, text: pa.DataType = _TEXT) -> pa.Schema:
    """Return the Arrow types of a table's columns."""
    return pa.schema([(name, _ARROW.get(kind, text)) for name, kind in columns.items()])


def write_rows(
    columns: Columns, rows: Iterable[Mapping[str, Any]], target: Path, place: str
) -> None:
    """Write the rows of `VARIABLES` or `FILES`; `place` names the file in messages.

    Raises DataRefused when a text is longer than its column.
    """
    listed = list(rows)
    for row in listed:
        for name, value in row.items():
            _check_length(columns, name, value, place)
    pq.write_table(pa.Table.from_pylist(listed, schema(columns)), target, compression="snappy")


def attributes_json(attributes: Mapping[str, Any], most: int = 65535) -> str:
    """Return attributes as a JSON object of `most` bytes at most.

    The longest texts are shortened when it would be more: the archive has them whole.
    """
    plain = {name: _plain(value) for name, value in attributes.items()}
    text = _json(plain)
    while len(text.encode()) > most:
        longest = max(plain, key=lambda name: len(_json(plain[name])))
        whole = plain[longest] if isinstance(plain[longest], str) else _json(plain[longest])
        if len(whole) <= len(_SHORTENED):
            return _json({_SHORTENED: f"{len(plain)} attributes"})
        plain[longest] = whole[: len(whole) // 2] + _SHORTENED
        text = _json(plain)
    return text


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Return an attribute's value as JSON has it; what JSON cannot hold becomes text."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | int) or (isinstance(value, float) and np.isfinite(value)):
        return value
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    # Neither engine stores a NUL, nor half of a surrogate pair.
    return str(value).replace("\0", "").encode("utf-8", "replace").decode()


def _check_length(columns: Columns, name: str, value: object, place: str) -> None:
    if not isinstance(value, str):
        return
    most = int(columns[name].removeprefix("varchar(").removesuffix(")"))
    if len(value.encode()) > most or "\0" in value:
        raise DataRefused(
            f"{place}: {name} is {value[:60]!r}, which has {len(value.encode())} bytes; "
            f"{most} without a NUL character are allowed: rename it"
        )


def _kept(values: Any, keep: Flags) -> Any:
    return None if values is None else values[keep]


def _array(values: Any, kind: str, rows: int) -> pa.Array:
    """Return the column; NaN and NaT are null."""
    if values is None:
        return pa.nulls(rows, _ARROW[kind])
    return pa.array(values, _ARROW[kind], from_pandas=True)
