"""One client's session: the extended and the simple query protocol, in lock step."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING

from tests.standin import faults as fault_kinds
from tests.standin.backend import Backend
from tests.standin.errors import SqlError, refuse
from tests.standin.lexer import lex, render, split_statements
from tests.standin.plan import Plan, Statement
from tests.standin.queries import inline_alias, may_use_aliases
from tests.standin.statements import translate
from tests.standin.wire import (
    Column,
    ConnectionClosedError,
    command_complete,
    error_response,
    message,
    parse_row_description,
    read_message,
    redshift_row,
    row_description,
    serialization_error,
    take_text,
    text,
    text_formats,
    to_sql_error,
)

if TYPE_CHECKING:
    from tests.standin.server import Shared

ENDS_TRANSACTION = ("ROLLBACK", "ABORT", "COMMIT", "END")
ALIAS_ROUNDS = 20


class Session:
    """Reads the client's messages and answers each before it reads the next."""

    def __init__(
        self,
        shared: Shared,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        backend: Backend,
        user: str,
    ) -> None:
        self.shared = shared
        self.backend = backend
        self.user = user
        self._reader = reader
        self._writer = writer
        self._statements: dict[str, Statement] = {}
        self._parsed: Statement | None = None  # what the engine's unnamed statement holds
        self._bound: Statement | None = None
        self._columns: list[Column] = []

    async def serve(self) -> None:
        """Serve until the client leaves."""
        handlers = {
            b"P": self._on_parse, b"D": self._on_describe, b"B": self._on_bind,
            b"E": self._on_execute, b"C": self._on_close, b"Q": self._on_query,
        }  # fmt: skip
        skipping = False
        while True:
            kind, body = await read_message(self._reader)
            if kind == b"X":
                return
            if kind == b"S":
                skipping = False
                self._send(message(b"Z", await self.backend.sync()))
            elif kind == b"H":
                await self._writer.drain()
            elif not skipping:
                try:
                    if kind not in handlers:
                        raise refuse(f"protocol message {kind!r}")
                    await handlers[kind](body)
                except SqlError as error:
                    await self._fail(error)
                    skipping = kind != b"Q"
                    if kind == b"Q":
                        self._send(message(b"Z", await self.backend.sync()))

    def _send(self, data: bytes) -> None:
        self._writer.write(data)

    async def _fail(self, error: SqlError) -> None:
        """Report an error; a transaction in which the engine saw none is aborted all the same."""
        self._parsed = None
        await self.backend.sync()
        if self.backend.status == b"T":
            with contextlib.suppress(SqlError):
                await self.backend.query("do $$ begin raise 'failed in the stand-in'; end $$")
        self._send(error_response(error))

    async def _on_parse(self, body: bytes) -> None:
        name, at = take_text(body)
        sql, at = take_text(body, at)
        statement = Statement(sql, body[at:])
        await self._prepare(statement)
        self._statements[name] = statement
        self._send(message(b"1"))

    async def _prepare(self, statement: Statement) -> None:
        """Translate a statement and make it the engine's unnamed one."""
        self._parsed = None
        parts = split_statements(lex(statement.sql))
        if len(parts) > 1:
            raise SqlError("42601", "cannot insert multiple commands into a prepared statement")
        if not parts:
            statement.plan = Plan(tokens=[])
        elif self.backend.status == b"E":
            if not parts[0][0].spells(*ENDS_TRANSACTION):
                raise SqlError(
                    "25P02",
                    "current transaction is aborted, commands ignored until end of transaction "
                    "block",
                )
            statement.plan = Plan(tokens=parts[0][:1])
        else:
            statement.plan = await translate(parts[0], self)
        if statement.plan.tokens is not None:
            await self._parse_on_backend(statement, statement.plan)
        self._parsed = statement

    async def _parse_on_backend(self, statement: Statement, plan: Plan) -> None:
        """Parse on the engine; a column unknown to it may be an alias of the same SELECT list."""
        tokens = plan.tokens or []
        retry = may_use_aliases(tokens)
        for _ in range(ALIAS_ROUNDS):
            guarded = retry and self.backend.status == b"T"
            if guarded:
                await self.backend.query("savepoint standin_parse")
            failed = await self.backend.parse(render(tokens), statement.types)
            if failed is None:
                if guarded:
                    await self.backend.sync()
                    await self.backend.query("release savepoint standin_parse")
                    await self.backend.parse(render(tokens), statement.types)
                return
            place, error = failed
            await self.backend.sync()
            inlined = inline_alias(tokens, place) if retry and error.code == "42703" else None
            if inlined is None:
                raise error
            if guarded:
                await self.backend.query("rollback to savepoint standin_parse")
            tokens = inlined
        raise SqlError("54001", "aliases of one SELECT list refer to each other too often")

    async def _on_describe(self, body: bytes) -> None:
        named = take_text(body, 1)[0]
        statement = self._bound if body[:1] == b"P" else self._find(named)
        if statement is None or statement.plan is None:
            raise SqlError("26000", "there is nothing to describe")
        if statement.plan.run is not None:
            if body[:1] == b"S":
                self._send(message(b"t", b"\0\0"))
            self._send(message(b"n"))
            return
        if body[:1] == b"S" and self._parsed is not statement:
            await self._prepare(statement)
        await self.backend.send(message(b"D", body[:1] + b"\0") + message(b"H"))
        if body[:1] == b"S":
            kind, parameters = await self.backend.read_past_notices()
            self._send(message(kind, parameters))
        kind, described = await self.backend.read_past_notices()
        if kind == b"T":
            statement.columns = parse_row_description(described)
            self._send(row_description(statement.columns))
        else:
            self._send(message(kind, described))

    async def _on_bind(self, body: bytes) -> None:
        portal, at = take_text(body)
        name, at = take_text(body, at)
        if portal:
            raise refuse("a named portal")
        await self._bind(self._find(name), body[at:])
        self._send(message(b"2"))

    async def _bind(self, statement: Statement, values: bytes) -> None:
        if self._parsed is not statement:
            await self._prepare(statement)
        if statement.plan is not None and statement.plan.tokens is not None:
            await self.backend.send(
                message(b"B", b"\0\0" + text_formats(values, statement.columns))
                + message(b"D", b"P\0")
                + message(b"H")
            )
            kind, body = await self.backend.read_past_notices()
            if kind == b"E":
                raise to_sql_error(body)
            kind, body = await self.backend.read_past_notices()
            self._columns = parse_row_description(body) if kind == b"T" else []
        self._bound = statement
        self._parsed = None  # the next Bind translates again: names may mean other things by then

    def _find(self, name: str) -> Statement:
        if name not in self._statements:
            raise SqlError("26000", f'prepared statement "{name}" does not exist')
        return self._statements[name]

    async def _on_execute(self, body: bytes) -> None:
        _portal, at = take_text(body)
        if self._bound is None or self._bound.plan is None:
            raise SqlError("34000", 'portal "" does not exist')
        await self._execute(self._bound.sql, self._bound.plan, body[at:])

    async def _execute(self, sql: str, plan: Plan, limit: bytes) -> None:
        fault = self.shared.faults.take(sql)
        if fault is not None:
            await self._strike(fault)
        if plan.run is not None:
            done = command_complete(await plan.run(self.backend))
        else:
            done = await self._relay(limit)
            for table in plan.written:
                await self._log_write(table)
        if fault is not None and fault.kind == fault_kinds.DROP_AFTER:
            await self.backend.sync()
            raise ConnectionClosedError
        self._send(done)

    async def _strike(self, fault: fault_kinds.Fault) -> None:
        if fault.kind == fault_kinds.ERROR_1023:
            raise serialization_error()
        if fault.kind == fault_kinds.DROP_BEFORE:
            raise ConnectionClosedError
        if fault.kind == fault_kinds.DELAY:
            await asyncio.sleep(fault.seconds)
        if fault.hold is not None:
            await asyncio.to_thread(fault.hold.stand)

    async def _relay(self, limit: bytes) -> bytes:
        """Execute the bound portal, pass its rows on, and return the message that ended it."""
        await self.backend.send(message(b"E", b"\0" + limit) + message(b"H"))
        while True:
            kind, body = await self.backend.read()
            if kind == b"D":
                self._send(redshift_row(body, self._columns))
                await self._writer.drain()
            elif kind == b"N":
                self._send(message(kind, body))
            elif kind in (b"C", b"I", b"s"):
                return message(kind, body)
            elif kind == b"E":
                raise to_sql_error(body)

    async def _log_write(self, table: str) -> None:
        """Remember the write for sys_query_detail; it is undone with the transaction."""
        if self.backend.status != b"E":
            await self.backend.sync()
            await self.backend.query(f"select pg_standin.log_write({table})")

    async def _on_close(self, body: bytes) -> None:
        if body[:1] == b"S":
            self._statements.pop(take_text(body, 1)[0], None)
        self._send(message(b"3"))

    async def _on_query(self, body: bytes) -> None:
        sql = take_text(body)[0]
        parts = split_statements(lex(sql))
        for part in parts:
            statement = Statement(render(part), b"\0\0")
            await self._prepare(statement)
            await self._bind(statement, struct.pack("!hhh", 0, 0, 0))
            if self._columns and statement.plan and statement.plan.tokens is not None:
                self._send(row_description(self._columns))
            if statement.plan is not None:
                await self._execute(statement.sql, statement.plan, b"\0\0\0\0")
            await self.backend.sync()
        if not parts:
            self._send(message(b"I"))
        self._send(message(b"Z", await self.backend.sync()))


def greeting(key_data: bytes) -> bytes:
    """Build what follows a login: parameters as Redshift reports them, and the key to cancel."""
    parameters = {
        "server_version": "8.0.2", "server_encoding": "UNICODE", "client_encoding": "UTF8",
        "datestyle": "ISO, MDY", "integer_datetimes": "on", "is_superuser": "on",
        "standard_conforming_strings": "off", "TimeZone": "UTC",
    }  # fmt: skip
    statuses = b"".join(message(b"S", text(*item)) for item in parameters.items())
    ok = message(b"R", struct.pack("!i", 0))
    return ok + statuses + message(b"K", key_data) + message(b"Z", b"I")
