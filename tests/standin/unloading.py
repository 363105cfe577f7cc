"""UNLOAD: a query's rows to CSV or Parquet objects."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

from tests.standin.backend import Backend
from tests.standin.copy_options import UnloadOptions, parse_unload
from tests.standin.denylist import check_parameters
from tests.standin.errors import SqlError
from tests.standin.lexer import Token, lex, render
from tests.standin.objects import check_role, s3_client, s3_error
from tests.standin.plan import Plan
from tests.standin.queries import translate_query
from tests.standin.wire import BYTEA, JSONB, Column, compact_json

if TYPE_CHECKING:
    from tests.standin.server import Settings
    from tests.standin.session import Session

SLICES = 2  # with PARALLEL ON each slice writes its own object
TYPES = {
    16: pa.bool_(), 20: pa.int64(), 21: pa.int16(), 23: pa.int32(), 700: pa.float32(),
    701: pa.float64(), 1082: pa.date32(), 1114: pa.timestamp("us"),
    1184: pa.timestamp("us", "UTC"),
}  # fmt: skip


async def plan_unload(tokens: list[Token], session: Session) -> Plan:
    """Return the plan of an UNLOAD. Raises SqlError for options that are not known."""
    check_parameters(tokens)
    options = parse_unload(tokens)
    _check_limit(lex(options.query))
    query = render(await translate_query(lex(options.query), session.backend))

    async def run(backend: Backend) -> str:
        check_role(session.shared.settings, options.role)
        columns: list[Column] = []
        rows: list[list[str | None]] = []
        async for item in backend.stream(query):
            if item and isinstance(item[0], Column):
                columns = [c for c in item if isinstance(c, Column)]
            else:
                rows.append([_text(v, c) for v, c in zip(item, columns, strict=True)])
        await asyncio.to_thread(_write, session.shared.settings, options, columns, rows)
        return "UNLOAD"

    return Plan(run=run)


def _check_limit(tokens: Sequence[Token]) -> None:
    """Refuse a LIMIT at the query's own level, as Redshift does [UNLOAD]."""
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if token.spells("LIMIT") and not depth:
            raise SqlError("0A000", "Limit clause is not supported")


def _text(value: Any, column: Column) -> str | None:
    if value is None:
        return None
    if column.oid == JSONB:
        return compact_json(value).decode()
    text: str = value.decode()
    return text.removeprefix("\\x") if column.oid == BYTEA else text


def _write(
    settings: Settings,
    options: UnloadOptions,
    columns: Sequence[Column],
    rows: list[list[str | None]],
) -> None:
    client = s3_client(settings, options.region)
    try:
        _prepare_target(client, options)
        ending = ".parquet" if options.format == "parquet" else ".gz" if options.gzip else ""
        count = SLICES if options.parallel else 1
        entries = []
        for number in range(count):
            part = f"{number:04}_part_00" if options.parallel else "000"
            key = f"{options.key}{part}{ending}"
            body = _body(options, columns, rows[number::count])
            client.put_object(Bucket=options.bucket, Key=key, Body=body)
            entries.append(
                {"url": f"s3://{options.bucket}/{key}", "meta": {"content_length": len(body)}}
            )
        if options.manifest:
            manifest = json.dumps({"entries": entries}).encode()
            key = f"{options.key}manifest"
            client.put_object(Bucket=options.bucket, Key=key, Body=manifest)
    except ClientError as error:
        raise s3_error(error) from None


def _prepare_target(client: Any, options: UnloadOptions) -> None:
    listed = client.list_objects_v2(Bucket=options.bucket, Prefix=options.key)
    keys = [item["Key"] for item in listed.get("Contents", [])]
    if options.clean:
        for key in keys:
            client.delete_object(Bucket=options.bucket, Key=key)
    elif keys and not options.overwrite:
        raise SqlError(
            "XX000",
            "Specified unload destination on S3 is not empty. Consider using a different bucket / "
            "prefix, manually removing the target files in S3, or using the ALLOWOVERWRITE option.",
        )


def _body(
    options: UnloadOptions, columns: Sequence[Column], rows: Sequence[Sequence[str | None]]
) -> bytes:
    if options.format == "parquet":
        return _parquet(columns, rows)
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=options.delimiter, lineterminator="\n")
    if options.header:
        writer.writerow([c.name for c in columns])
    writer.writerows([options.null_as if v is None else v for v in row] for row in rows)
    data = buffer.getvalue().encode()
    return gzip.compress(data) if options.gzip else data


def _parquet(columns: Sequence[Column], rows: Sequence[Sequence[str | None]]) -> bytes:
    arrays = []
    for i, column in enumerate(columns):
        texts = pa.array([row[i] for row in rows], pa.string())
        kind = TYPES.get(column.oid)
        if column.oid == 1700 and column.typmod >= 4:
            kind = pa.decimal128(((column.typmod - 4) >> 16) & 65535, (column.typmod - 4) & 2047)
        if column.oid == 1184:
            texts = pc.replace_substring_regex(texts, r"\+00$", "Z")
        arrays.append(texts if kind is None else pc.cast(texts, kind))
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays, names=[c.name for c in columns]), sink)
    return sink.getvalue()
