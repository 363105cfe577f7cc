"""A proxy on loopback before an S3 emulator; chosen requests get the answers of a bad network."""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
SLOW_DOWN = (
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)
INTERNAL_ERROR = b"<Error><Code>InternalError</Code><Message>We encountered one.</Message></Error>"
LOGIN_PAGE = b"<html><body>Please log in to the guest network.</body></html>"


@dataclass(frozen=True)
class Answer:
    """What the true server answered."""

    status: int
    headers: dict[str, str]
    body: bytes


class Exchange(BaseHTTPRequestHandler):
    """One connection of a client; faults decide what it gets."""

    protocol_version = "HTTP/1.1"
    server: FaultyS3

    def forward(self) -> Answer:
        """Pass the request on and return the true answer."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        upstream.request(self.command, self.path, body, dict(self.headers.items()))
        response = upstream.getresponse()
        headers = {k: v for k, v in response.getheaders() if k.lower() not in HOP_BY_HOP}
        size = response.getheader("Content-Length") or "0"
        answer = Answer(response.status, headers | {"Content-Length": size}, response.read())
        upstream.close()
        return answer

    def give(self, answer: Answer, most: int | None = None) -> None:
        """Send an answer, or its headers and the beginning of its body."""
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body[:most])
        self.wfile.flush()

    def handle_one_request(self) -> None:
        """See the base; a client that hangs up first is nothing to report."""
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def serve(self) -> None:
        """Answer one request."""
        self.server.requests.append(f"{self.command} {self.path}")
        fault = self.server.take(f"{self.command} {self.path}")
        if fault is None:
            self.give(self.forward())
        else:
            fault.strike(self)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = serve  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


Strike = Callable[[Exchange], None]


def answer(status: int, body: bytes, kind: str = "application/xml") -> Strike:
    """Answer with this instead."""

    def strike(exchange: Exchange) -> None:
        exchange.forward()
        headers = {"Content-Type": kind, "Content-Length": str(len(body))}
        exchange.give(Answer(status, headers, b"" if exchange.command == "HEAD" else body))

    return strike


def cut(most: int, *, reset: bool = False) -> Strike:
    """Promise the whole body, send its beginning, and close or reset the connection."""

    def strike(exchange: Exchange) -> None:
        exchange.give(exchange.forward(), most)
        exchange.close_connection = True
        if reset:
            linger = struct.pack("ii", 1, 0)
            exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            exchange.connection.close()

    return strike


def stall(most: int | None) -> Strike:
    """Send the headers and so many bytes of the body, or nothing at all, and fall silent."""

    def strike(exchange: Exchange) -> None:
        true = exchange.forward()
        if most is not None:
            exchange.give(true, most)
        exchange.server.released.wait(60)
        exchange.close_connection = True

    return strike


def after(action: Callable[[], None]) -> Strike:
    """Let something happen, then pass the request on."""

    def strike(exchange: Exchange) -> None:
        action()
        exchange.give(exchange.forward())

    return strike


@dataclass
class Fault:
    """Strikes the next `times` requests that `match` finds in "METHOD path"; None: all."""

    match: str
    strike: Strike
    times: int | None


class FaultyS3(ThreadingHTTPServer):
    """The proxy. `url` is its endpoint, `requests` what it was asked; `struck` counts faults."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.upstream = urlsplit(upstream).netloc
        self.requests: list[str] = []
        self.released = threading.Event()
        self.struck = 0
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The endpoint for clients."""
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, match: str, strike: Strike, times: int | None = 1) -> None:
        """Let a fault wait."""
        self._waiting.append(Fault(match, strike, times))

    def take(self, request: str) -> Fault | None:
        """Return the fault that strikes this request, counting it."""
        with self._lock:
            for fault in self._waiting:
                if re.search(fault.match, request):
                    if fault.times is not None:
                        fault.times -= 1
                        if not fault.times:
                            self._waiting.remove(fault)
                    self.struck += 1
                    return fault
        return None

    def clear(self) -> None:
        """Forget the faults that are left."""
        with self._lock:
            self._waiting.clear()

    def close(self) -> None:
        """Stop."""
        self.released.set()
        self.shutdown()
        self.server_close()
