"""CSV files of any dialect: each column of numbers is a variable, each record a time."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from loaders.errors import DataRefused
from loaders.exporters import cf
from loaders.exporters.csv_dialect import BUILT_IN, KNOWN_COLUMNS, CsvDialect, name_and_unit
from loaders.exporters.dataset import Block, Coded, Role, Text, Times, Variable

_BLOCK_BYTES = 1 << 20
_TRAILING = "\0trailing"  # no header can have this name
_ISO_TIME = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?(?:Z|[+-]\d{2}:?\d{2})?$"
_HOUR_ALONE = len("2024-01-31 12")  # which Arrow takes for a time
_ZONE = r"\d{2}:\d{2}.*(Z|[+-]\d{2}:?\d{2})$"
_PLACES = ("latitude", "longitude", "height_m", "station")


class CsvDataset:
    """An opened CSV file, gzip or not."""

    format = "csv"

    def __init__(self, path: Path, dialect: CsvDialect) -> None:
        self._path = path
        self._dialect = dialect
        try:
            with self._open() as stream:
                above = [self._line(stream) for _ in range(dialect.metadata_lines)]
                self._header = self._read_header(self._line(stream))
                self._records = _count_records(stream)
        except (OSError, EOFError, zlib.error) as error:
            raise DataRefused(f"{path}: it cannot be read: {error}; copy it again") from None
        self.attributes: Mapping[str, Any] = {
            name.strip().rstrip(":"): "".join(value[:1]).strip() for name, *value in above if name
        }
        """The metadata lines, by name."""
        self._times = self._time_columns()
        self._places = {part: self._place(part) for part in _PLACES}
        self.variables = tuple(self._describe(column) for column in self._header)
        """The columns, in order."""
        for variable in self.variables:
            if sum(variable.name == other.name for other in self.variables) > 1:
                raise DataRefused(
                    f"{path}: two columns are named {variable.name!r}; {self._advice}"
                )

    def close(self) -> None:
        """Do nothing: the file is open only while it is read."""

    def blocks(self) -> Iterator[Block]:
        """Yield the values of each column, part by part. Raises DataRefused."""
        names = list(self._header) + ([_TRAILING] if self._dialect.trailing_delimiter else [])
        first = 0
        try:
            with self._open() as stream:
                reader = arrow_csv.open_csv(
                    stream,
                    arrow_csv.ReadOptions(
                        column_names=names,
                        skip_rows=self._dialect.metadata_lines + 1,
                        encoding=self._dialect.encoding,
                        block_size=_BLOCK_BYTES,
                    ),
                    arrow_csv.ParseOptions(delimiter=self._dialect.delimiter),
                    arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
                )
                for batch in reader:
                    yield from self._blocks_of(batch, first)
                    first += batch.num_rows
        except pa.ArrowInvalid as error:
            # An empty body is no error to us, but one to the reader.
            if self._records:
                raise DataRefused(f"{self._path}: {error}; {self._advice}") from None
        except (OSError, EOFError, zlib.error) as error:
            raise DataRefused(f"{self._path}: it cannot be read: {error}; copy it again") from None
        if first != self._records:
            raise DataRefused(
                f"{self._path}: {self._records} records became {first} while it was read; try again"
            )

    def _blocks_of(self, batch: pa.RecordBatch, first: int) -> Iterator[Block]:
        if self._dialect.trailing_delimiter:
            self._refuse_unless(pc.equal(batch[_TRAILING], ""), batch, _TRAILING, first, "empty")
        times = self._read_times(batch, first)
        numbers = {part: self._number(part, batch, first) for part in _PLACES[:3]}
        for variable in self.variables:
            if variable.role != "values":
                continue
            values, missing = self._numbers(batch, variable.attributes["column"], first)
            yield Block(
                variable=variable,
                first=first,
                values=values,
                missing=missing,
                in_valid_range=None,
                observed_at=times,
                latitude=_or_none(numbers["latitude"], cf.latitude),
                longitude=_or_none(numbers["longitude"], cf.longitude),
                height_m=numbers["height_m"],
                station=self._station(batch),
                quality_flag=None,
                coordinates=None,
            )

    def _open(self) -> IO[bytes]:
        if self._path.name.lower().endswith(".gz"):
            return cast(IO[bytes], gzip.open(self._path))
        return self._path.open("rb")

    def _line(self, stream: IO[bytes]) -> list[str]:
        line = stream.readline(_BLOCK_BYTES)
        try:
            text = line.decode(self._dialect.encoding).removeprefix("\ufeff").strip("\r\n")
        except UnicodeDecodeError as error:
            raise DataRefused(f"{self._path}: {error}; {self._advice}") from None
        return next(csv.reader([text], delimiter=self._dialect.delimiter), [])

    def _read_header(self, cells: list[str]) -> tuple[str, ...]:
        if self._dialect.trailing_delimiter and cells and not cells[-1].strip():
            cells = cells[:-1]
        if not cells or not all(cell.strip() for cell in cells) or len(set(cells)) < len(cells):
            raise DataRefused(
                f"{self._path}: line {self._dialect.metadata_lines + 1} is no header of unique "
                f"names: {cells}; {self._advice}"
            )
        return tuple(cells)

    def _time_columns(self) -> tuple[str, ...]:
        found = self._dialect.time or tuple(
            [name for name in self._header if name.strip().lower() in KNOWN_COLUMNS["time"]][:1]
        )
        if not found or not set(found) <= set(self._header):
            raise DataRefused(
                f"{self._path}: no column says when: {list(found) or 'time'} is not one of "
                f"{list(self._header)}; {self._advice}"
            )
        return found

    def _place(self, part: str) -> str | None:
        """Return the column or metadata entry that says where, if there is one."""
        named: str | None = getattr(self._dialect, part)
        if named is None:
            known = [name for name in self._header if name.strip().lower() in KNOWN_COLUMNS[part]]
            return known[0] if known else None
        if named not in self.attributes and named not in self._header:
            raise DataRefused(
                f"{self._path}: {named!r}, its {part}, is neither a column nor in the "
                f"{self._dialect.metadata_lines} lines above the header; {self._advice}"
            )
        return named

    def _describe(self, column: str) -> Variable:
        name, unit = name_and_unit(column)
        role: Role = "values"
        if column in self._times or column in self._places.values():
            role = "coordinate"
        elif column in self._dialect.ignore or name in self._dialect.ignore:
            role = "other"
        attributes = {
            "column": column,
            "units": self._dialect.units.get(name, unit),
            "standard_name": self._dialect.standard_names.get(name),
        }
        return Variable(
            name if role == "values" else column,
            role,
            "text",
            f"record={self._records}",
            self._records,
            {key: value for key, value in attributes.items() if value is not None},
        )

    def _read_times(self, batch: pa.RecordBatch, first: int) -> Times:
        columns = [pc.utf8_trim_whitespace(batch[name]) for name in self._times]
        texts = columns[0]
        if len(columns) > 1:
            texts = pc.binary_join_element_wise(*columns, " ")
        where = " ".join(self._times)
        if self._dialect.time_formats:
            read = [
                pc.strptime(texts, format=form, unit="us", error_is_null=True)
                for form in self._dialect.time_formats
            ]
            times = pc.coalesce(*read)
            expected = f"a time like {' or '.join(self._dialect.time_formats)}"
            self._refuse_unless(pc.is_valid(times), texts, where, first, expected)
            return _as_numpy(times)
        if not pc.any(pc.equal(pc.binary_length(texts), _HOUR_ALONE)).as_py():
            with suppress(pa.ArrowInvalid):  # a zone, or no time
                return _as_numpy(texts.cast(pa.timestamp("us")))
        iso = pc.match_substring_regex(texts, _ISO_TIME)
        self._refuse_unless(iso, texts, where, first, "an ISO 8601 time")
        zoned = pc.match_substring_regex(texts, _ZONE)
        nothing = pa.scalar(None, pa.string())
        try:
            aware = pc.if_else(zoned, texts, nothing).cast(pa.timestamp("us", "UTC"))
            naive = pc.if_else(zoned, nothing, texts).cast(pa.timestamp("us"))
        except pa.ArrowInvalid as error:  # the 30th of February
            raise DataRefused(f"{self._path}: column {where!r}: {error}; correct it") from None
        return _as_numpy(pc.coalesce(aware.cast(pa.timestamp("us")), naive))

    def _number(self, part: str, batch: pa.RecordBatch, first: int) -> NDArray[np.float64] | None:
        name = self._places[part]
        if name is None:
            return None
        if name in self.attributes:
            lone = pa.record_batch([pa.array([self.attributes[name]])], [name])
            values, missing = self._numbers(lone, name, 0)
            return np.repeat(np.where(missing, np.nan, values), batch.num_rows)
        values, missing = self._numbers(batch, name, first)
        return np.where(missing, np.nan, values)

    def _station(self, batch: pa.RecordBatch) -> Text:
        name = self._places["station"]
        if name is None or name in self.attributes:
            return self.attributes[name] or None if name else None
        coded = pc.utf8_trim_whitespace(batch[name]).dictionary_encode()
        labels = tuple(label or None for label in coded.dictionary.to_pylist())
        return Coded(labels, coded.indices.to_numpy(zero_copy_only=False))

    def _numbers(
        self, batch: pa.RecordBatch, column: str, first: int
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Read a column of numbers; the second array says which are missing."""
        null_texts = pa.array(self._dialect.null_texts, pa.string())
        missing = pc.is_in(batch[column], null_texts)
        if self._dialect.decimal == ".":
            values = _plain_numbers(pc.if_else(missing, "0", batch[column]))
            if values is not None:
                return values, missing.to_numpy(zero_copy_only=False)
        texts = pc.utf8_trim_whitespace(batch[column])
        missing = pc.is_in(texts, null_texts)
        point = f"[{self._dialect.decimal}]"
        grammar = rf"^[+-]?(\d+({point}\d*)?|{point}\d+)([eE][+-]?\d+)?$"
        good = pc.or_(missing, pc.match_substring_regex(texts, grammar))
        self._refuse_unless(good, texts, column, first, "a number")
        plain = pc.replace_substring(pc.if_else(missing, "0", texts), self._dialect.decimal, ".")
        values = pc.replace_substring_regex(plain, r"^\+", "").cast(pa.float64())
        self._refuse_unless(pc.is_finite(values), texts, column, first, "a finite number")
        return (
            values.to_numpy(zero_copy_only=False),
            missing.to_numpy(zero_copy_only=False),
        )

    def _refuse_unless(
        self, good: pa.Array, texts: Any, column: str, first: int, expected: str
    ) -> None:
        where = pc.index(good, False).as_py()
        if where < 0:
            return
        cells = texts if isinstance(texts, pa.Array) else texts[column]
        self._refuse(first + where + 1, column.strip("\0"), cells[where].as_py(), expected)

    def _refuse(self, record: int, column: str, text: str, expected: str) -> NoReturn:
        raise DataRefused(
            f"{self._path}: record {record}, column {column!r}: {text[:60]!r} is not {expected}; "
            f"correct it, or {self._advice}"
        )

    @property
    def _advice(self) -> str:
        return (
            f"give the file's dialect: --dialect {' or '.join(BUILT_IN)}, or a YAML file that says "
            "delimiter, encoding, decimal, null_texts, time, what to ignore"
        )


def _count_records(stream: IO[bytes]) -> int:
    """Count the lines that are not empty."""
    count = 0
    while block := stream.read(_BLOCK_BYTES):
        block += stream.readline()
        if b"\n\n" in block or b"\n\r" in block or block[:1] in b"\r\n":
            count += sum(1 for line in block.split(b"\n") if line.strip(b"\r"))
        else:
            count += block.count(b"\n") + (not block.endswith(b"\n"))
    return count


def _plain_numbers(texts: pa.Array) -> NDArray[np.float64] | None:
    """Return the numbers, or None when one of them needs another look: a blank, or no number.

    Arrow reads what the grammar of `_numbers` says, and infinities and NaN beside it.
    """
    try:
        values = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    found: NDArray[np.float64] = values.to_numpy(zero_copy_only=False)
    return found if np.isfinite(found).all() else None


def _as_numpy(times: Any) -> Times:
    found: Times = times.to_numpy(zero_copy_only=False).astype("datetime64[us]")
    return found


def _or_none(values: NDArray[np.float64] | None, bounded: Any) -> NDArray[np.float64] | None:
    return None if values is None else bounded(values)
