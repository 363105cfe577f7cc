"""Files as AWS Database Migration Service writes them to S3, made from plain rows.

Layout: "Using Amazon S3 as a target for AWS Database Migration Service" and "Transformation rules
and actions" in its user guide, with the settings that docs/sources.md lists.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from loaders.demo.nycflights13 import StagedObject

Values = Mapping[str, object]  # None where the database has NULL
Kind = Literal["csv.gz", "parquet"]


@dataclass(frozen=True)
class DmsTable:
    """A replicated table: where its files go, its primary key, its columns and their types."""

    folder: str
    key: str
    columns: Mapping[str, pa.DataType]

    def full_load(
        self, number: int, task_started: datetime, rows: Iterable[Values], kind: Kind = "csv.gz"
    ) -> StagedObject:
        """Return the n-th file of a full load: no Op, no sequence, the start of the task."""
        head = {"committed_at": _time(task_started)}
        none = {"change_seq": None, f"bi_{self.key}": None}
        lines = [head | {name: row[name] for name in self.columns} | none for row in rows]
        return self._file(f"LOAD{number:08X}", lines, kind)

    def change_file(
        self, written: datetime, changes: Iterable[DmsChange], kind: Kind = "csv.gz"
    ) -> StagedObject:
        """Return a file of changes, named by the time it was written."""
        lines = [
            {"Op": change.operation, "committed_at": _time(change.committed_at)}
            | {name: change.row[name] for name in self.columns}
            | {"change_seq": change.sequence, f"bi_{self.key}": change.former}
            for change in changes
        ]
        return self._file(f"{written:%Y%m%d-%H%M%S%f}"[:18], lines, kind)

    def _file(self, name: str, lines: Sequence[Values], kind: Kind) -> StagedObject:
        extra = {"committed_at": pa.string(), "change_seq": pa.string(), "Op": pa.string()}
        types = {**self.columns, **extra, f"bi_{self.key}": self.columns[self.key]}
        key = f"{self.folder}{name}.{kind}"
        if kind == "csv.gz":
            return StagedObject(key, _csv(lines))
        schema = pa.schema([(column, types[column]) for column in lines[0]])
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(lines, schema), sink)
        return StagedObject(key, sink.getvalue())


@dataclass(frozen=True)
class DmsChange:
    """A committed change; `former` is the key before it, which DMS adds to updates."""

    operation: str
    committed_at: datetime
    number: int
    row: Values
    former: object = None

    @property
    def sequence(self) -> str:
        """AR_H_CHANGE_SEQ: 16 digits of time to the hundredth, 19 that count."""
        return f"{self.committed_at:%Y%m%d%H%M%S%f}"[:16] + f"{self.number:019d}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S.%f}"


def _text(name: str, value: object) -> str:
    if value is None:
        # CsvNullValue's default; columns that the task adds are empty.
        return "" if name == "change_seq" or name.startswith("bi_") else "NULL"
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)


def _csv(lines: Sequence[Values]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(lines[0])
    writer.writerows([_text(name, value) for name, value in line.items()] for line in lines)
    return gzip.compress(text.getvalue().encode(), mtime=0)
