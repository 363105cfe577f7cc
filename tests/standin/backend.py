"""One connection to the PostgreSQL behind the stand-in."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterable

from scramp import ScramClient  # type: ignore[import-untyped]

from tests.standin.errors import SqlError
from tests.standin.wire import (
    PROTOCOL_3,
    Column,
    message,
    parse_data_row,
    parse_row_description,
    read_message,
    take_text,
    text,
    to_sql_error,
)

Rows = list[list[str | None]]
CHUNK = 1 << 20


class Backend:
    """Speaks the protocol to PostgreSQL as a client. One statement at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.status = b"I"
        self.key_data = b""

    @classmethod
    async def connect(
        cls, address: tuple[str, int], user: str, password: str, database: str, application: str
    ) -> Backend:
        """Log in. Raises SqlError with the server's reason."""
        self = cls(*await asyncio.open_connection(*address))
        settings = text(
            "user", user, "database", database, "application_name", application,
            "client_encoding", "UTF8", "datestyle", "ISO,MDY", "timezone", "UTC",
            "standard_conforming_strings", "off", "escape_string_warning", "off",
        )  # fmt: skip
        body = struct.pack("!i", PROTOCOL_3) + settings + b"\0"
        self._writer.write(struct.pack("!i", len(body) + 4) + body)
        await self._authenticate(user, password)
        return self

    async def _authenticate(self, user: str, password: str) -> None:
        client = ScramClient(["SCRAM-SHA-256"], user, password or " ")
        while True:
            kind, body = await self.read()
            if kind == b"E":
                raise to_sql_error(body)
            if kind == b"K":
                self.key_data = body
            if kind == b"Z":
                return
            if kind != b"R":
                continue
            (code,) = struct.unpack_from("!i", body)
            if code == 10:
                first = client.get_client_first().encode()
                reply = text("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first
                await self.send(message(b"p", reply))
            elif code == 11:
                client.set_server_first(body[4:].decode())
                await self.send(message(b"p", client.get_client_final().encode()))

    async def send(self, data: bytes) -> None:
        """Send raw messages."""
        self._writer.write(data)
        await self._writer.drain()

    async def read(self) -> tuple[bytes, bytes]:
        """Read one message, keeping track of the transaction's status."""
        kind, body = await read_message(self._reader)
        if kind == b"Z":
            self.status = body
        return kind, body

    async def query(self, sql: str) -> Rows:
        """Run statements and return the rows of the last one as text. Raises SqlError."""
        await self.send(message(b"Q", text(sql)))
        rows: Rows = []
        error: SqlError | None = None
        while True:
            kind, body = await self.read()
            if kind == b"T":
                rows = []
            elif kind == b"D":
                rows.append([None if v is None else v.decode() for v in parse_data_row(body)])
            elif kind == b"E":
                error = to_sql_error(body)
            elif kind == b"Z":
                if error:
                    raise error
                return rows

    async def stream(self, sql: str) -> AsyncIterator[list[Column] | list[bytes | None]]:
        """Run one query; yield its columns, then each row's values as text. Raises SqlError."""
        await self.send(message(b"Q", text(sql)))
        error: SqlError | None = None
        while True:
            kind, body = await self.read()
            if kind == b"T":
                yield parse_row_description(body)
            elif kind == b"D":
                yield parse_data_row(body)
            elif kind == b"E":
                error = to_sql_error(body)
            elif kind == b"Z":
                if error:
                    raise error
                return

    async def parse(self, sql: str, types: bytes = b"\0\0") -> tuple[int, SqlError] | None:
        """Prepare the unnamed statement; return None, or where in `sql` which error stands.

        After an error the engine ignores everything until the next Sync.
        """
        await self.send(message(b"P", text("", sql) + types) + message(b"H"))
        kind, body = await self.read_past_notices()
        if kind != b"E":
            return None
        place = next((p[1:] for p in body.split(b"\0") if p[:1] == b"P"), b"0")
        return int(place), to_sql_error(body)

    async def read_past_notices(self) -> tuple[bytes, bytes]:
        """Read one message that is neither a notice nor a parameter's status."""
        while True:
            kind, body = await self.read()
            if kind not in (b"N", b"S"):
                return kind, body

    async def sync(self) -> bytes:
        """End a sequence of messages and return the transaction's status."""
        await self.send(message(b"S"))
        while (await self.read())[0] != b"Z":
            pass
        return self.status

    async def describe(self, sql: str) -> list[Column]:
        """Return the columns that a query would have. Raises SqlError.

        Inside a transaction a failure is undone by a savepoint, so that it stays usable.
        """
        inside = self.status == b"T"
        if inside:
            await self.query("savepoint standin_describe")
        try:
            failed = await self.parse(sql)
            columns: list[Column] = []
            if failed is None:
                await self.send(message(b"D", b"S\0") + message(b"H"))
                await self.read_past_notices()
                kind, body = await self.read_past_notices()
                columns = parse_row_description(body) if kind == b"T" else []
            await self.sync()
            if failed:
                raise failed[1]
            return columns
        finally:
            if inside:
                await self.query("rollback to savepoint standin_describe")
                await self.query("release savepoint standin_describe")

    async def copy_in(self, sql: str, lines: Iterable[bytes]) -> int:
        """Run a COPY ... FROM STDIN with these lines; return the number of rows."""
        await self.send(message(b"Q", text(sql)))
        kind, body = await self.read_past_notices()
        if kind == b"G":
            buffer = bytearray()
            for line in lines:
                buffer += line
                if len(buffer) > CHUNK:
                    await self.send(message(b"d", bytes(buffer)))
                    buffer.clear()
            await self.send(message(b"d", bytes(buffer)) + message(b"c"))
            kind, body = await self.read_past_notices()
        error = to_sql_error(body) if kind == b"E" else None
        rows = int(take_text(body)[0].split()[-1]) if kind == b"C" else 0
        while kind != b"Z":
            kind, _ = await self.read()
        if error:
            raise error
        return rows

    def close(self) -> None:
        """Drop the connection; the server rolls back what is open."""
        self._writer.close()
