"""The server that puts WSGI applications on a real socket."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any
from wsgiref.validate import validator

import pytest

from connector_core.http.loopback import SOCKET
from connector_core.testing import LoopbackServer

Connect = Callable[[LoopbackServer], http.client.HTTPConnection]


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Says what it was asked, as JSON."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    names = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "HTTP_X_TEST")
    said = json.dumps({"body": body, **{name: environ.get(name) for name in names}}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(said)))])
    return [said]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connections to a server, closed at the end of the test however it ends."""
    with ExitStack() as stack:

        def dial(server: LoopbackServer) -> http.client.HTTPConnection:
            return stack.enter_context(closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)))

        yield dial


def get(connection: http.client.HTTPConnection, path: str = "/") -> tuple[int, bytes]:
    connection.request("GET", path)
    reply = connection.getresponse()
    return reply.status, reply.read()


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(validator(echo)) as server:
        yield server


def test_the_application_sees_the_request(server: LoopbackServer, connect: Connect) -> None:
    """Method, path, query, headers and body arrive, in an environment that the standard library's validator accepts."""
    connection = connect(server)
    connection.request(
        "POST", "/a%20b?c=%2B", body="hällo".encode(), headers={"X-Test": "yes", "Content-Type": "text/plain"}
    )
    said = json.loads(connection.getresponse().read())
    assert said == {
        "body": "hällo",
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=%2B",
        "HTTP_X_TEST": "yes",
    }


def test_p73_two_slashes_stay_two(server: LoopbackServer, connect: Connect) -> None:
    """A client that joins its address badly is not helped."""
    connection = connect(server)
    assert json.loads(get(connection, "//Users")[1])["PATH_INFO"] == "//Users"


def test_a_connection_serves_many_requests(server: LoopbackServer, connect: Connect) -> None:
    """Replies do not close the connection."""
    connection = connect(server)
    get(connection)
    first = connection.sock
    for _ in range(5):
        get(connection)
    assert connection.sock is first


def test_sixteen_connections_at_once(server: LoopbackServer, connect: Connect) -> None:
    """A client with a pool is answered on every connection, each with its own reply."""

    def walk(number: int) -> list[str]:
        connection = connect(server)
        return [json.loads(get(connection, f"/{number}/{step}")[1])["PATH_INFO"] for step in range(20)]

    with ThreadPoolExecutor(16) as pool:
        walks = list(pool.map(walk, range(16)))
    assert walks == [[f"/{number}/{step}" for step in range(20)] for number in range(16)]


def test_the_observer_sees_what_was_sent(connect: Connect) -> None:
    """The callback is given method, path with query, headers and body, before the application runs."""
    seen: list[tuple[str, str, str | None, bytes]] = []

    def observe(method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        seen.append((method, path, headers.get("X-Test"), body))

    with LoopbackServer(echo, on_request=observe) as server:
        connection = connect(server)
        connection.request("PATCH", "/Users/1?x=1", body=b"{}", headers={"X-Test": "yes"})
        connection.getresponse().read()
    assert seen == [("PATCH", "/Users/1?x=1", "yes", b"{}")]


def test_closing_hangs_up_and_is_quick(connect: Connect) -> None:
    """Idle keep-alive connections do not hold it up, and the port no longer answers."""
    server = LoopbackServer(echo)
    connection = connect(server)
    get(connection)
    begun = time.monotonic()
    server.close()
    server.close()
    assert time.monotonic() - begun < 1
    assert connection.sock.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)


def test_closing_does_not_wait_for_an_application_that_sleeps(connect: Connect) -> None:
    """A request that hangs on purpose does not hang the test that made it."""
    asked, woken = threading.Event(), threading.Event()

    def asleep(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked.set()
        woken.wait(30)
        return echo(environ, start_response)

    server = LoopbackServer(asleep)
    connection = connect(server)
    connection.request("GET", "/")
    assert asked.wait(5)
    begun = time.monotonic()
    server.close()
    assert time.monotonic() - begun < 2
    woken.set()


def test_an_application_that_fails_is_a_500(capsys: pytest.CaptureFixture[str], connect: Connect) -> None:
    """A bug in an application is a reply and a traceback, not a hanging client."""

    def broken(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        raise LookupError("on purpose")

    with LoopbackServer(broken) as server:
        connection = connect(server)
        assert get(connection) == (500, b"")
    assert "on purpose" in capsys.readouterr().err


def test_a_body_shorter_than_promised_ends_the_connection(connect: Connect) -> None:
    """An application may cut its reply short, and the client notices at once."""

    def cut(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "100")])
        return [b"only this"]

    with LoopbackServer(cut) as server:
        connection = connect(server)
        with pytest.raises(http.client.IncompleteRead):
            get(connection)


def test_a_body_of_unknown_length_is_whole(connect: Connect) -> None:
    """Without a Content-Length the end of the connection is the end of the body."""

    def stream(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"one "
        yield b"two"

    with LoopbackServer(stream) as server:
        connection = connect(server)
        assert get(connection) == (200, b"one two")


def test_an_application_can_hang_up(connect: Connect) -> None:
    """The connection itself is in the environment, for faults below HTTP."""

    def hang_up(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[SOCKET].shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError

    with LoopbackServer(hang_up) as server:
        connection = connect(server)
        with pytest.raises(http.client.RemoteDisconnected):
            get(connection)


def test_small_replies_are_not_held_back() -> None:
    """The connection has Nagle's algorithm off, which would add 40 ms to a reply now and then."""
    seen: list[int] = []

    def look(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(environ[SOCKET].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        return echo(environ, start_response)

    with LoopbackServer(look) as server, socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 200 ")
    assert seen and seen[0] != 0


def test_a_204_has_neither_length_nor_body(connect: Connect) -> None:
    """After a reply without a body the next one on the same connection is still understood."""

    def nothing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("204 No Content", [])
        return [b""]

    with LoopbackServer(nothing) as server:
        connection = connect(server)
        assert [get(connection) for _ in range(3)] == [(204, b"")] * 3


def test_a_chunked_request_is_refused_in_words(server: LoopbackServer) -> None:
    """What is not supported is a 411, not a request read wrongly."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 411 ")
