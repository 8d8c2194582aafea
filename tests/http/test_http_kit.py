"""No tests: what the tests of the HTTP room share. A scripted server over real sockets."""

from __future__ import annotations

import random
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from connector_core.http import HttpClient
from connector_core.testing.clock import FakeClock


class Seen(NamedTuple):
    """A request as the server got it; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Step = bytes | Callable[[socket.socket, Seen], None]
"""What to send, or a function that does it."""


def reply(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    """A whole reply; underscores in header names stand for hyphens, an empty value leaves the header out."""
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def then_close(data: bytes) -> Step:
    """Send this and end the connection in good order, whatever was announced."""

    def step(connection: socket.socket, seen: Seen) -> None:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_RDWR)

    return step


def then_reset(data: bytes = b"") -> Step:
    """Send this and break the connection: the client sees ECONNRESET."""

    def step(connection: socket.socket, seen: Seen) -> None:
        connection.sendall(data)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionAbortedError  # the server closes it on the way out

    return step


class Server:
    """Answers each request with the next step; the last one is repeated. ``seen`` are the requests."""

    def __init__(self, *steps: Step, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.closing = threading.Event()
        self._steps = list(steps)
        self._tls = tls
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self.closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self._open.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with plain, suppress(OSError):
            if self._tls is None:
                self._converse(plain)
            else:
                with self._tls.wrap_socket(plain, server_side=True) as connection:
                    self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as incoming:
            while (seen := _read_request(incoming)) is not None:
                with self._lock:
                    self.seen.append(seen)
                    step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
                if callable(step):
                    step(connection, seen)
                else:
                    connection.sendall(step)


def _read_request(incoming: Any) -> Seen | None:
    if incoming.peek(1)[:1] == b"\x16":  # somebody speaks TLS; there may never be an end of line
        return Seen("TLS", "", {}, b"")
    start = incoming.readline().decode().split()
    if not start:
        return None
    headers: dict[str, str] = {}
    while line := incoming.readline().decode().strip():
        name, _, value = line.partition(":")
        key = name.lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return Seen(start[0], start[1], headers, incoming.read(int(headers.get("content-length", 0))))


@contextmanager
def serving(*steps: Step, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server(*steps, tls=tls)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def using(clock: Any = None, **options: Any) -> Iterator[HttpClient]:
    """A client on a clock that never waits, closed in the end."""
    given: dict[str, Any] = {"clock": clock or FakeClock(), "seed": random.Random(1)} | options
    client = HttpClient(**given)
    try:
        yield client
    finally:
        client.close()


def silent(until: threading.Event) -> Step:
    """Say nothing, until the test is over."""

    def step(connection: socket.socket, seen: Seen) -> None:
        until.wait(5)

    return step


def dead_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
