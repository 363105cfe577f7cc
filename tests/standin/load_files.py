"""The records of a file: CSV as Redshift reads it, JSON documents, Parquet rows."""

from __future__ import annotations

import bz2
import datetime
import decimal
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from tests.standin.copy_options import CopyOptions
from tests.standin.errors import SqlError
from tests.standin.load_values import FieldError, Target
from tests.standin.wire import compact_json

WHITE = " \t\r\n"


@dataclass(frozen=True)
class Record:
    """One record: where it stands, its fields in the columns' order, or what is wrong with it."""

    line: int
    raw: str
    fields: list[str | None]
    error: FieldError | None = None


def decompress(data: bytes, options: CopyOptions) -> bytes:
    """Undo the compression that COPY names. Raises SqlError."""
    try:
        if options.compression == "GZIP":
            return gzip.decompress(data)
        if options.compression == "BZIP2":
            return bz2.decompress(data)
        if options.compression == "ZSTD":
            return pa.input_stream(io.BytesIO(data), compression="zstd").read()  # type: ignore[no-any-return]
    except (OSError, EOFError, zlib.error) as error:
        raise SqlError("XX000", f"Failed to decompress: {error}") from None
    return data


def read_records(data: bytes, options: CopyOptions, targets: Sequence[Target]) -> Iterator[Record]:
    """Yield the records of a decompressed file."""
    if options.format == "parquet":
        yield from _parquet(data, targets, options)
        return
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="surrogateescape")
    if options.format == "csv":
        yield from _csv(text, options, len(targets))
    else:
        yield from _json(text, options, targets)


def _csv(text: str, options: CopyOptions, width: int) -> Iterator[Record]:
    at, line = 0, 1
    text = text.removeprefix("\ufeff")
    while at < len(text):
        start, first = at, line
        fields: list[str | None] = []
        error: FieldError | None = None
        try:
            at = _csv_record(text, at, options, fields)
        except FieldError as found:
            error = found
            newline = text.find("\n", start)
            at = len(text) if newline < 0 else newline + 1
        raw = text[start:at].rstrip("\r\n")
        line += text.count("\n", start, at)
        if first <= options.skip_lines:
            continue
        if raw == "" and (width > 1 or "IGNOREBLANKLINES" in options.flags):
            if "IGNOREBLANKLINES" in options.flags:
                continue
            error = FieldError(1214, "Delimiter not found")
        elif error is None:
            error = _check_width(fields, width, options)
        fields, bad = _clean(fields, options)
        yield Record(first, raw, fields, error or bad)


def _csv_record(text: str, at: int, options: CopyOptions, fields: list[str | None]) -> int:
    """Read one record into `fields`; return where the next one begins."""
    delimiter, quote = options.delimiter, options.quote
    while True:
        if text.startswith(quote, at):
            value, at = _quoted(text, at + 1, quote)
        else:
            ends = [e for e in (text.find(delimiter, at), text.find("\n", at)) if e >= 0]
            end = min(ends, default=len(text))
            value, at = text[at:end], end
            if at == len(text) or text[at] == "\n":
                value = value.removesuffix("\r")
            if quote in value:
                raise FieldError(1214, "Invalid quote formatting for CSV")
        fields.append(value)
        if text.startswith(delimiter, at):
            at += len(delimiter)
            continue
        if text.startswith("\r\n", at):
            return at + 2
        if at >= len(text) or text[at] == "\n":
            return at + 1
        raise FieldError(1214, "Invalid quote formatting for CSV")


def _quoted(text: str, at: int, quote: str) -> tuple[str, int]:
    value = ""
    while True:
        end = text.find(quote, at)
        if end < 0:
            raise FieldError(1214, "Invalid quote formatting for CSV")
        value += text[at:end]
        if not text.startswith(quote, end + 1):
            return value, end + 1
        value += quote
        at = end + 2


def _check_width(fields: list[str | None], width: int, options: CopyOptions) -> FieldError | None:
    if len(fields) > width:
        return FieldError(1202, "Extra column(s) found")
    if len(fields) < width:
        if "FILLRECORD" not in options.flags:
            return FieldError(1214, "Delimiter not found")
        fields += [None] * (width - len(fields))
    return None


def _clean(
    fields: list[str | None], options: CopyOptions
) -> tuple[list[str | None], FieldError | None]:
    """Replace or report bytes that are no UTF-8."""
    cleaned: list[str | None] = []
    bad = None
    for value in fields:
        if value is not None and any("\udc80" <= c <= "\udcff" for c in value):
            if options.invalid_char is None:
                bad = FieldError(1220, "String contains invalid or unsupported UTF8 codepoints")
            value = "".join(
                (options.invalid_char or "?") if "\udc80" <= c <= "\udcff" else c for c in value
            )
        cleaned.append(value)
    return cleaned, bad


def _json(text: str, options: CopyOptions, targets: Sequence[Target]) -> Iterator[Record]:
    decoder = json.JSONDecoder()
    at = 0
    while True:
        while at < len(text) and text[at] in WHITE:
            at += 1
        if at >= len(text):
            return
        line = text.count("\n", 0, at) + 1
        try:
            document, end = decoder.raw_decode(text, at)
        except ValueError:
            raw = text[at:].split("\n", 1)[0]
            yield Record(line, raw, [], FieldError(1216, "Invalid JSON format"))
            return  # where the next document begins is unknown
        raw, at = text[at:end], end
        if options.json_mode == "noshred":
            yield Record(line, raw, [raw])
        elif not isinstance(document, dict):
            yield Record(line, raw, [], FieldError(1216, "Invalid JSONPath format: not an object"))
        else:
            yield Record(line, raw, _shred(document, options, targets))


def _shred(
    document: dict[str, object], options: CopyOptions, targets: Sequence[Target]
) -> list[str | None]:
    if options.json_mode == "auto ignorecase":
        document = {k.lower(): v for k, v in document.items()}
    return [_member(document.get(t.name), t) for t in targets]


def _member(value: object, target: Target) -> str | None:
    if value is None or (isinstance(value, str) and target.type != "super"):
        return value
    return compact_json(json.dumps(value, ensure_ascii=False).encode()).decode()


def _parquet(data: bytes, targets: Sequence[Target], options: CopyOptions) -> Iterator[Record]:
    """Yield the rows of a Parquet file; columns are matched by position, as COPY does."""
    table = pq.read_table(io.BytesIO(data))
    if table.num_columns != len(targets):
        raise SqlError(
            "XX000",
            "Spectrum Scan Error",
            f"Unmatched number of columns between table and file. Table columns: {len(targets)}, "
            f"Data columns: {table.num_columns}",
        )
    for field, target in zip(table.schema, targets, strict=True):
        if not _fits(field.type, target, options):
            raise SqlError(
                "XX000",
                "Spectrum Scan Error",
                f"File has an incompatible Parquet schema for column '{field.name}'. Column type: "
                f"{target.type.upper()}, Parquet schema: {field.type}",
            )
    columns = [column.to_pylist() for column in table.columns]
    for number, row in enumerate(zip(*columns, strict=True), 1):
        fields = [_parquet_text(v, t) for v, t in zip(row, targets, strict=True)]
        yield Record(number, "", fields)


def _fits(kind: pa.DataType, target: Target, options: CopyOptions) -> bool:
    if target.type == "super":
        return bool(pa.types.is_nested(kind)) and "SERIALIZETOJSON" in options.flags
    allowed = {
        "smallint": pa.types.is_int16,
        "integer": lambda k: pa.types.is_int32(k) or pa.types.is_int16(k),
        "bigint": pa.types.is_int64,
        "numeric": pa.types.is_decimal,
        "real": pa.types.is_float32,
        "double precision": pa.types.is_float64,
        "boolean": pa.types.is_boolean,
        "date": pa.types.is_date,
        "timestamp without time zone": pa.types.is_timestamp,
        "timestamp with time zone": pa.types.is_timestamp,
        "character varying": lambda k: pa.types.is_string(k) or pa.types.is_large_string(k),
        "character": lambda k: pa.types.is_string(k) or pa.types.is_large_string(k),
        "varbyte": pa.types.is_binary,
    }
    check = allowed.get(target.type)
    return bool(check and check(kind))


def _parquet_text(value: object, target: Target) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, datetime.date | decimal.Decimal):
        return str(value)
    if isinstance(value, bool):
        return "t" if value else "f"
    if target.type == "super":
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)
