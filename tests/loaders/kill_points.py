"""Every exchange of this process with its warehouse and with S3, numbered: a process can die there.

The drivers and botocore are watched, not the loader: a statement that is added to it is a new
point by itself. A database point is reached twice, before a statement is sent, and when it was
sent and no answer has been read: then nobody knows what became of it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from typing import Any

import psycopg
import redshift_connector
from redshift_connector.core import Connection as RedshiftConnection


class KillPoints:
    """Counts the points that this process reaches, and kills it with SIGKILL at the `last`."""

    def __init__(self, last: int | None = None) -> None:
        self._last = last
        self.reached: list[str] = []

    def reach(self, point: str) -> None:
        """Note a point, or die there."""
        self.reached.append(point)
        if len(self.reached) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch_s3(self, client: Any) -> None:
        """Make every request of this client a point, just before it is sent."""

        def before(event_name: str, **_: Any) -> None:
            self.reach(f"s3 {event_name.rpartition('.')[2]}")

        client.meta.events.register("before-send.s3", before)

    def watch_postgres(self) -> None:
        """Make every exchange of psycopg with the server two points, as are those of a COPY."""
        wait = psycopg.Connection.wait

        def watched(connection: Any, exchange: Any, *rest: Any, **options: Any) -> Any:
            statement = _described(exchange)
            self.reach(f"before {statement}")
            sent = self._then(exchange, f"sent {statement}")
            return wait(connection, sent, *rest, **options)

        psycopg.Connection.wait = watched  # type: ignore[method-assign, assignment]

    def _then(self, exchange: Generator[Any, Any, Any], point: str) -> Generator[Any, Any, Any]:
        """Yield what the exchange yields, and reach a point when it waits for the first time."""
        try:
            wanted = next(exchange)
            self.reach(point)
            while True:
                wanted = exchange.send((yield wanted))
        except StopIteration as end:
            return end.value

    def watch_redshift(self) -> None:
        """Make every statement of redshift-connector a point, and every wait for an answer."""
        execute = redshift_connector.Cursor.execute
        running = [""]

        def watched(cursor: Any, sql: str, *rest: Any, **options: Any) -> Any:
            running[0] = " ".join(sql.split()[:4])
            self.reach(f"before {running[0]}")
            return execute(cursor, sql, *rest, **options)

        redshift_connector.Cursor.execute = watched
        for name in ("handle_messages", "handle_messages_merge_socket_read"):
            setattr(
                RedshiftConnection, name, self._sent(getattr(RedshiftConnection, name), running)
            )

    def _sent(self, read: Callable[..., Any], running: list[str]) -> Callable[..., Any]:
        def watched(*arguments: Any) -> Any:
            self.reach(f"sent {running[0]}")
            return read(*arguments)

        return watched


def _described(exchange: Any) -> str:
    """Return what an exchange of psycopg sends: the statement's beginning, or the method's name."""
    frame = getattr(exchange, "gi_frame", None)
    known = frame.f_locals if frame else {}
    sql = known.get("query") or known.get("statement")
    if sql is None:
        name = str(getattr(exchange, "__name__", "exchange"))
        return {"_enter_gen": "begin", "_exit_gen": "commit or rollback"}.get(name, name)
    return " ".join((sql.decode() if isinstance(sql, bytes) else str(sql)).split()[:4])
