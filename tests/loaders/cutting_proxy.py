"""A proxy on loopback before PostgreSQL that cuts a connection at a chosen exchange."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import BinaryIO, Literal

# Messages of the client after which the server answers: a simple query, or the end of others.
ENDS_EXCHANGE = (b"Q", b"S", b"c")
When = Literal["before", "after"]


def _untyped(source: BinaryIO) -> tuple[bytes, bytes]:
    """Read a message of the start of a connection, which has no type."""
    size = source.read(4)
    return size, source.read(int.from_bytes(size) - 4)


class CuttingProxy:
    """Passes everything on, and cuts the connection at the n-th exchange of all connections.

    "before": the server never sees it; "after": it has answered, and the answer is lost.
    """

    def __init__(self, upstream: tuple[str, int], cut_at: int = 0, when: When = "before") -> None:
        self._upstream = upstream
        self._cut_at, self._when = cut_at, when
        self.exchanges: list[bytes] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(self._upstream)
        answers = threading.Thread(target=self._pass_on, args=(server, client), daemon=True)
        with suppress(OSError), client, server, client.makefile("rb") as source:
            size, body = _untyped(source)
            while len(body) == 4:  # asks for encryption
                client.sendall(b"N")
                size, body = _untyped(source)
            server.sendall(size + body)
            answers.start()
            while kind := source.read(1):
                size = source.read(4)
                body = source.read(int.from_bytes(size) - 4)
                cut = kind in ENDS_EXCHANGE and self._reached(body)
                if cut and self._when == "before":
                    break
                if cut:
                    self._lose_answer(server, client, kind + size + body)
                    break
                server.sendall(kind + size + body)
            # A thread still reads from it: closing alone would not tell the server.
            server.shutdown(socket.SHUT_RDWR)

    def _reached(self, body: bytes) -> bool:
        with self._lock:
            self.exchanges.append(body)
            return len(self.exchanges) == self._cut_at

    def _lose_answer(self, server: socket.socket, client: socket.socket, message: bytes) -> None:
        """Close the client's side first, then let the server answer to nobody."""
        client.shutdown(socket.SHUT_RDWR)
        server.sendall(message)
        # The server reads what was sent before it sees the end, and runs it to its end.
        server.shutdown(socket.SHUT_WR)
        while server.recv(65536):
            pass

    def _pass_on(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
