"""Messages of the wire protocol, and the type numbers by which Redshift differs from PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import dataclass, replace

from tests.standin.errors import SqlError

PROTOCOL_3 = 196608
SSL_REQUEST = 80877103
CANCEL_REQUEST = 80877102
GSS_REQUEST = 80877104

SUPER, VARBYTE, VARCHAR = 4000, 6551, 1043
JSONB, BYTEA = 3802, 17
# Types that the driver knows by the same number; every other type is sent as varchar.
SAME_IN_BOTH = frozenset(
    {16, 18, 19, 20, 21, 23, 26, 700, 701, 1042, 1043, 1082, 1083, 1114, 1184, 1186, 1266, 1700}
)


class ConnectionClosedError(Exception):
    """The other side is gone."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a row description, with the engine's own type number."""

    name: str
    oid: int
    typmod: int = -1
    table: int = 0
    attribute: int = 0
    size: int = -1


async def read_message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one message: its type and its body. Raises ConnectionClosedError."""
    try:
        head = await reader.readexactly(5)
        return head[:1], await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
    except (asyncio.IncompleteReadError, ConnectionError) as gone:
        raise ConnectionClosedError from gone


async def read_startup(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read a message without a type, as the first ones of a connection are: its code and body."""
    try:
        size, code = struct.unpack("!ii", await reader.readexactly(8))
        return code, await reader.readexactly(size - 8)
    except (asyncio.IncompleteReadError, ConnectionError) as gone:
        raise ConnectionClosedError from gone


def message(kind: bytes, body: bytes = b"") -> bytes:
    """Frame one message."""
    return kind + struct.pack("!i", len(body) + 4) + body


def text(*values: str) -> bytes:
    """Encode zero-terminated strings."""
    return b"".join(v.encode() + b"\0" for v in values)


def take_text(body: bytes, at: int = 0) -> tuple[str, int]:
    """Read a zero-terminated string; return it and the position after it."""
    end = body.index(b"\0", at)
    return body[at:end].decode(), end + 1


def error_response(error: SqlError) -> bytes:
    """Build the ErrorResponse of an error."""
    fields = {"S": "ERROR", "C": error.code, "M": error.message}
    if error.detail:
        fields["D"] = error.detail
    return message(b"E", b"".join(k.encode() + text(v) for k, v in fields.items()) + b"\0")


def error_fields(body: bytes) -> dict[str, str]:
    """Decode an ErrorResponse or NoticeResponse."""
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def to_sql_error(body: bytes) -> SqlError:
    """Turn the engine's error into what Redshift would say, where it says it differently."""
    fields = error_fields(body)
    code, said, detail = fields["C"], fields["M"], fields.get("D", "")
    if code in ("40001", "40P01"):
        return serialization_error(f"({said})")
    if code == "23502":
        return SqlError(code, f"Cannot insert a NULL value into column {fields.get('c', '')}")
    return SqlError(code, said, detail)


def serialization_error(detail: str = "") -> SqlError:
    """Return Redshift's error 1023."""
    return SqlError(
        "XX000",
        "1023",
        "Serializable isolation violation on table - 100001, transactions forming the cycle are: "
        f"1001, 1002 (pid:1001) {detail}".rstrip(),
    )


def command_complete(tag: str) -> bytes:
    """Build CommandComplete."""
    return message(b"C", text(tag))


def parse_row_description(body: bytes) -> list[Column]:
    """Decode a RowDescription."""
    columns: list[Column] = []
    at = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        name, at = take_text(body, at)
        table, attribute, oid, size, typmod, _format = struct.unpack_from("!ihihih", body, at)
        columns.append(Column(name, oid, typmod, table, attribute, size))
        at += 18
    return columns


def row_description(columns: list[Column]) -> bytes:
    """Build the RowDescription that the client sees: Redshift's type numbers."""
    body = struct.pack("!h", len(columns))
    for column in columns:
        seen = redshift_type(column)
        body += text(seen.name) + struct.pack(
            "!ihihih", seen.table, seen.attribute, seen.oid, seen.size, seen.typmod, 0
        )
    return message(b"T", body)


def redshift_type(column: Column) -> Column:
    """Return the column with the type number by which Redshift describes it."""
    if column.oid in SAME_IN_BOTH:
        return column
    mapped = {JSONB: SUPER, BYTEA: VARBYTE}.get(column.oid, VARCHAR)
    return replace(column, oid=mapped, size=-1, typmod=-1 if mapped == VARCHAR else column.typmod)


def text_formats(bind: bytes, columns: list[Column]) -> bytes:
    """Ask for text, in the tail of a Bind, where the client takes a type for varchar.

    The driver wants varchar in binary form; of the engine's other types that is no text.
    """
    foreign = [i for i, c in enumerate(columns) if c.oid not in SAME_IN_BOTH | {25}]
    at = len(bind) - 2 * (1 + len(columns))
    if not foreign or at < 0 or struct.unpack_from("!h", bind, at)[0] != len(columns):
        return bind  # one format for all, or none: text
    patched = bytearray(bind)
    for i in foreign:
        struct.pack_into("!h", patched, at + 2 * (1 + i), 0)
    return bytes(patched)


def parse_data_row(body: bytes) -> list[bytes | None]:
    """Decode the values of a DataRow."""
    values: list[bytes | None] = []
    at = 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        values.append(None if size < 0 else body[at : at + size])
        at += max(size, 0)
    return values


def data_row(values: list[bytes | None]) -> bytes:
    """Build a DataRow."""
    body = struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message(b"D", body)


def redshift_row(body: bytes, columns: list[Column]) -> bytes:
    """Rewrite the text of SUPER (no blanks) and VARBYTE (bare hexadecimal) in a DataRow."""
    special = [i for i, c in enumerate(columns) if c.oid in (JSONB, BYTEA)]
    if not special:
        return message(b"D", body)
    values = parse_data_row(body)
    for i in special:
        value = values[i]
        if value is not None:
            is_super = columns[i].oid == JSONB
            values[i] = compact_json(value) if is_super else value.removeprefix(b"\\x")
    return data_row(values)


def compact_json(value: bytes) -> bytes:
    """Write a JSON text without blanks, its numbers as they were spelled."""
    parsed = json.loads(value, parse_float=_Spelled, parse_int=_Spelled)
    return _dump(parsed).encode()


class _Spelled(str):
    """A number that keeps its spelling."""


def _dump(value: object) -> str:
    if isinstance(value, _Spelled):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_dump(v)}"
                              for k, v in value.items()) + "}"  # fmt: skip
    if isinstance(value, list):
        return "[" + ",".join(_dump(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)
