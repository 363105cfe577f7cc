"""The stand-in as a whole: PostgreSQL with Redshift's catalog, and the listener in front of it."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import redshift_connector
from redshift_connector.core import Connection

from loaders.embedded.postgres import EmbeddedPostgres
from tests.standin.backend import Backend
from tests.standin.errors import SqlError
from tests.standin.faults import Faults
from tests.standin.lexer import literal
from tests.standin.session import Session, greeting
from tests.standin.tls import make_certificates
from tests.standin.wire import (
    CANCEL_REQUEST,
    GSS_REQUEST,
    PROTOCOL_3,
    SSL_REQUEST,
    ConnectionClosedError,
    error_response,
    message,
    read_message,
    read_startup,
    take_text,
)

T = TypeVar("T")
CATALOG = Path(__file__).parent / "catalog"
USER, DATABASE = "awsuser", "dev"
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "allow_system_table_mods": "on",
    # Redshift's default on new clusters is snapshot isolation.
    "default_transaction_isolation": "repeatable read",
}


@dataclass
class Settings:
    """What a test decides: where S3 is, and which IAM roles the cluster may assume."""

    s3_endpoint: str | None = None  # None: as boto3 finds it, AWS_ENDPOINT_URL_S3 included
    region: str = "us-east-1"
    roles: frozenset[str] = frozenset({"arn:aws:iam::123456789012:role/standin"})
    default_role: str | None = "arn:aws:iam::123456789012:role/standin"


@dataclass
class Shared:
    """What all sessions share: settings, faults, and a connection outside their transactions."""

    settings: Settings
    faults: Faults
    side: Backend
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def record(self, sql: str) -> list[list[str | None]]:
        """Run SQL outside the client's transaction, so that its rollback does not undo it."""
        async with self.lock:
            return await self.side.query(sql)


class StandIn:
    """A running stand-in. `start` returns when it accepts connections; `stop` ends it."""

    host = "localhost"
    user = USER
    database = DATABASE

    def __init__(self, directory: Path, port: int = 0, settings: Settings | None = None) -> None:
        self.port = port
        self.password = secrets.token_urlsafe(12)
        self.settings = settings or Settings()
        self.faults = Faults()
        self.ca_file, self._tls = make_certificates(directory / "tls")
        self._postgres = EmbeddedPostgres(directory / "postgres", settings=SETTINGS)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._clients: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Start PostgreSQL, load the catalog and listen."""
        self._postgres.start()
        self._thread.start()
        try:
            self._call(self._open())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Drop all clients and stop PostgreSQL."""
        self.faults.clear()
        self._call(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._postgres.remove()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def admin(self, sql: str) -> list[list[str | None]]:
        """Run engine SQL as the superuser, past the stand-in: for assertions and preparation."""
        return self._call(self._shared.record(sql))

    def copy_database(self, source: str, target: str) -> None:
        """Replace the database `target` by a copy of `source`, cutting off who is connected."""
        self._call(self._copy_database(source, target))

    def connect(self, **options: Any) -> Connection:
        """Connect with the real driver; `options` win over the stand-in's own."""
        return redshift_connector.connect(
            **{
                "host": self.host,
                "port": self.port,
                "database": self.database,
                "user": self.user,
                "password": self.password,
                "sslmode": "verify-full",
                **options,
            }
        )

    @property
    def _address(self) -> tuple[str, int]:
        return self._postgres.host, self._postgres.port

    async def _login(self, database: str) -> Backend:
        superuser, password = self._postgres.superuser, self._postgres.password
        return await Backend.connect(self._address, superuser, password, database, "stand-in")

    async def _open(self) -> None:
        template = await self._login("template1")
        await template.query(
            f"create role {USER} superuser login password {literal(self.password).text}"
        )
        for file in sorted(CATALOG.glob("*.sql")):
            try:
                await template.query(file.read_text())
            except SqlError as error:
                raise RuntimeError(f"{file.name}: {error.message} {error.detail}") from error
        template.close()
        admin = await self._login("postgres")
        while await admin.query("select 1 from pg_stat_activity where datname = 'template1'"):
            await asyncio.sleep(0.01)
        await admin.query(f"create database {DATABASE} owner {USER}")
        admin.close()
        self._shared = Shared(self.settings, self.faults, await self._login(DATABASE))
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self._server = server
        self.port = server.sockets[0].getsockname()[1]

    async def _copy_database(self, source: str, target: str) -> None:
        admin = await self._login("postgres")
        async with self._shared.lock:
            self._shared.side.close()
            await admin.query(f"drop database if exists {target} with (force)")
            while await admin.query(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                f"where datname = {literal(source).text}"
            ):
                await asyncio.sleep(0.01)
            copy = f"create database {target} template {source} strategy file_copy owner {USER}"
            await admin.query(copy)
            self._shared.side = await self._login(DATABASE)
        admin.close()

    async def _shut(self) -> None:
        if hasattr(self, "_server"):
            self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        if hasattr(self, "_shared"):
            self._shared.side.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        backend: Backend | None = None
        session = ""
        try:
            startup = await self._negotiate(reader, writer)
            if startup is None:
                return
            backend, user = await self._authenticate(reader, writer, startup)
            if backend is None:
                return
            session = await _describe_session(backend)
            await Session(self._shared, reader, writer, backend, user).serve()
        except (ConnectionClosedError, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            self._clients.discard(task)
            if backend is not None:
                backend.close()
                await self._shared.record(f"insert into pg_standin.ended_session {session}")
            writer.close()

    async def _negotiate(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> dict[str, str] | None:
        """Turn on TLS if asked, and return the startup parameters; None for a cancel request."""
        while True:
            code, body = await read_startup(reader)
            if code == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(self._tls)
            elif code == GSS_REQUEST:
                writer.write(b"N")
            elif code == CANCEL_REQUEST:
                _, target = await asyncio.open_connection(*self._address)
                target.write(struct.pack("!ii", len(body) + 8, code) + body)
                await target.drain()
                target.close()
                return None
            elif code == PROTOCOL_3:
                words = body.rstrip(b"\0").decode().split("\0")
                return dict(zip(words[::2], words[1::2], strict=False))
            else:
                raise ConnectionClosedError

    async def _authenticate(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, startup: dict[str, str]
    ) -> tuple[Backend | None, str]:
        """Ask for the password (inside TLS) and log in to the engine with it."""
        if writer.get_extra_info("ssl_object") is None:
            writer.write(error_response(SqlError("28000", "SSL is required")))
            return None, ""
        writer.write(message(b"R", struct.pack("!i", 3)))
        _, body = await read_message(reader)
        user = startup.get("user", "").lower()
        try:
            backend = await Backend.connect(
                self._address,
                user,
                take_text(body)[0],
                startup.get("database", user),
                startup.get("application_name", "")[:60],
            )
        except SqlError as error:
            code = "28000" if error.code.startswith("28") else error.code
            writer.write(error_response(SqlError(code, error.message)))
            await writer.drain()
            return None, user
        writer.write(greeting(backend.key_data))
        return backend, user


async def _describe_session(backend: Backend) -> str:
    """Return the row of sys_session_history that this session leaves when it ends, as a SELECT."""
    ((row,),) = await backend.query(
        "select format('select %s, %s, %L, %L::timestamp', usesysid, pid, datname, "
        "backend_start at time zone 'UTC') from pg_stat_activity where pid = pg_backend_pid()"
    )
    return f"{row}, clock_timestamp() at time zone 'UTC'"
