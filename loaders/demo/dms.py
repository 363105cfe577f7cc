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

import pyarrow as pa
import pyarrow.parquet as pq

from loaders.demo.nycflights13 import StagedObject

Values = Mapping[str, object]  # None where the database has NULL


@dataclass(frozen=True)
class DmsTable:
    """A replicated table: where its files go, its columns and its primary key."""

    folder: str
    columns: Sequence[str]
    key: str

    def full_load(
        self, number: int, task_started: datetime, rows: Iterable[Values]
    ) -> StagedObject:
        """Return the n-th file of a full load: no Op, no sequence, the start of the task."""
        lines = [
            [_time(task_started), *(_text(row[name]) for name in self.columns), "", ""]
            for row in rows
        ]
        header = ["committed_at", *self.columns, "change_seq", f"bi_{self.key}"]
        return StagedObject(f"{self.folder}LOAD{number:08X}.csv.gz", _csv(header, lines))

    def change_file(self, written: datetime, changes: Iterable[DmsChange]) -> StagedObject:
        """Return a file of changes, named by the time it was written."""
        header = ["Op", "committed_at", *self.columns, "change_seq", f"bi_{self.key}"]
        lines = [
            [
                change.operation, _time(change.committed_at),
                *(_text(change.row[name]) for name in self.columns),
                change.sequence, "" if change.former is None else str(change.former),
            ]
            for change in changes
        ]  # fmt: skip
        return StagedObject(f"{self.folder}{_stamp(written)}.csv.gz", _csv(header, lines))

    def parquet_file(
        self, written: datetime, changes: Iterable[DmsChange], types: Mapping[str, pa.DataType]
    ) -> StagedObject:
        """Return the same as Parquet; `types` are those of the table's columns."""
        kinds = {"Op": pa.string(), "committed_at": pa.string()}
        kinds |= {name: types[name] for name in self.columns}
        kinds |= {"change_seq": pa.string(), f"bi_{self.key}": types[self.key]}
        rows = [
            {
                "Op": change.operation, "committed_at": _time(change.committed_at), **change.row,
                "change_seq": change.sequence, f"bi_{self.key}": change.former,
            }
            for change in changes
        ]  # fmt: skip
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, pa.schema(list(kinds.items()))), sink)
        return StagedObject(f"{self.folder}{_stamp(written)}.parquet", sink.getvalue())


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


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%d-%H%M%S%f}"[:18]


def _text(value: object) -> str:
    if value is None:
        return "NULL"  # CsvNullValue's default
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)


def _csv(header: list[str], lines: Iterable[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return gzip.compress(text.getvalue().encode(), mtime=0)
