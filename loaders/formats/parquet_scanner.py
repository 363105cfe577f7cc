"""The Parquet scanner: checks a staged file against its contract and yields it as CSV."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Collection, Iterator
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from loaders.formats.faults import Fault, FileRefused, Located, Reason
from loaders.formats.parquet_form import ParquetForm, fits
from loaders.formats.source_bytes import BLOCK_BYTES, ByteStream

ROWS = 16 * 1024  # a chunk


class ParquetScanner:
    """One pass over one file, in memory bounded by a row group's columns.

    The types are checked at once; `chunks()` then yields CSV in which an empty text is quoted and
    a null is not. What it yielded before it raised `FileRefused` must be discarded with the file.
    """

    def __init__(self, stream: ByteStream, form: ParquetForm) -> None:
        self.records = 0
        """Rows read so far."""
        self.rejected: list[Fault] = []
        """Always empty: a file of a typed format is loaded whole or not at all."""
        self.bytes_read = 0
        """Bytes of the file."""
        self._form = form
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the last chunk
        try:
            self._fetch(stream, self._spool)
            try:
                self._file = pq.ParquetFile(self._spool)
            except (pa.ArrowException, OSError) as error:
                raise self._refusal(Reason.NOT_PARQUET, f"it cannot be read: {error}") from None
            # In lower case, since Redshift folds names (DMS writes `Op`).
            names = [name.lower() for name in self._file.schema_arrow.names]
            self.header: tuple[str, ...] = tuple(names)
            """The columns, in the contract's order."""
            self._check_schema()
        except BaseException:
            self._spool.close()
            raise

    def chunks(self) -> Iterator[bytes]:
        """Yield the rows as UTF-8 CSV without header; once. Raises FileRefused."""
        options = csv.WriteOptions(include_header=False)
        with self._spool:
            try:
                for batch in self._file.iter_batches(ROWS):
                    rows = pa.Table.from_batches([batch])
                    plain = pa.table(
                        list(map(self._plain, self.header, rows.columns)), list(self.header)
                    )
                    self.records += rows.num_rows
                    sink = io.BytesIO()
                    csv.write_csv(plain, sink, options)
                    yield sink.getvalue()
            except (pa.ArrowException, OSError) as error:
                raise self._refusal(Reason.NOT_PARQUET, f"its data is damaged: {error}") from None

    def located(self, columns: Collection[str]) -> Iterator[Located]:
        """Yield each row with its number and these columns; once, instead of `chunks()`."""
        with self._spool:
            for batch in self._file.iter_batches(ROWS, columns=list(columns)):
                for row in batch.to_pylist():
                    self.records += 1
                    values = {name: None if v is None else str(v) for name, v in row.items()}
                    yield Located(self.records, None, None, values)

    def _fetch(self, stream: ByteStream, spool: IO[bytes]) -> None:
        most = self._form.max_bytes
        while block := stream.read(BLOCK_BYTES):
            self.bytes_read += len(block)
            if most is not None and self.bytes_read > most:
                raise self._refusal(Reason.FILE_TOO_LARGE, f"it holds more than {most} bytes")
            spool.write(block)
        spool.seek(0)

    def _check_schema(self) -> None:
        declared = self._form.columns
        if twice := sorted({name for name in self.header if self.header.count(name) > 1}):
            raise self._refusal(Reason.DUPLICATE_HEADER, f"columns named twice: {twice}")
        missing = [name for name in declared if name not in self.header]
        unknown = [name for name in self.header if name not in declared]
        if missing or unknown:
            raise self._refusal(
                Reason.HEADER_DIFFERS,
                f"the columns are not the contract's; missing: {missing}; "
                f"not in the contract: {unknown}",
            )
        if self.header != tuple(declared):
            detail = f"the columns stand in another order than the contract's: {self.header}"
            raise self._refusal(Reason.HEADER_DIFFERS, detail)
        for name, field in zip(self.header, self._file.schema_arrow, strict=True):
            if not fits(field.type, declared[name]):
                detail = f"column {name!r} is {field.type}, declared {declared[name]}"
                raise self._refusal(Reason.TYPE_DIFFERS, detail, name)

    def _plain(self, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return the column as it can be written, after a look at its values."""
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_timestamp(column.type):
            try:
                return column.cast(pa.timestamp("us"))  # of UTC: the zone is only dropped
            except pa.ArrowInvalid as error:
                detail = f"column {name!r} is finer than microseconds: {error}"
                raise self._refusal(Reason.NUMBER_OUT_OF_RANGE, detail, name) from None
        most = self._form.columns[name].max_octets
        if most is not None:
            octets = pc.binary_length(column)
            longest = pc.max(octets).as_py()
            if longest is not None and longest > most:
                where = pc.index(pc.greater(octets, most), True).as_py()
                detail = f"column {name!r} holds {octets[where]} bytes, {most} are declared"
                raise self._refusal(Reason.VALUE_TOO_LONG, detail, name, where + 1)
            where = _index_of_nul(column)
            if where >= 0:
                detail = f"a NUL character in column {name!r}"
                raise self._refusal(Reason.NUL_CHARACTER, detail, name, where + 1)
        return column

    def _refusal(
        self, reason: Reason, detail: str, column: str | None = None, row: int = 0
    ) -> FileRefused:
        number = self.records + row
        return FileRefused(Fault(reason, detail, number, 0, 0, column, b"", False))


def _index_of_nul(texts: pa.ChunkedArray) -> int:
    """Return the first text with a NUL character, or -1; its bytes as one are looked at first."""
    data = (chunk.buffers()[2] for chunk in texts.chunks)
    if not any(buffer is not None and b"\0" in buffer.to_pybytes() for buffer in data):
        return -1
    return int(pc.index(pc.match_substring(texts, "\0"), True).as_py())
