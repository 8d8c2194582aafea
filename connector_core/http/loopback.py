"""Serves a WSGI application on a real socket of this machine, for tests and for the sandbox.

The reference handler of `wsgiref` closes the connection after each reply, which makes a walk over hundreds of pages
slow and never exercises a client's connection pool; this one keeps connections open (HTTP/1.1).
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self
from urllib.parse import unquote
from wsgiref.types import WSGIApplication

Observer = Callable[[str, str, Mapping[str, str], bytes], None]

SOCKET = "connector_core.socket"  # in the WSGI environment: the connection, for applications that misbehave on purpose

_BODILESS = ("204", "304")


class LoopbackServer:
    """``app`` on ``http://host:port``, in daemon threads, from construction to `close`. A context manager.

    An application that raises `ConnectionAbortedError` has the connection reset, whatever was sent on it by then.

    :param port: 0 takes a free one; `url` says which.
    :param on_request: called before the application with method, path and query as sent, headers, and body.
    :param tls: speak TLS, with the certificate in this context.

    Raises `OSError` where the port is taken.
    """

    def __init__(
        self, app: WSGIApplication, *, host: str = "127.0.0.1", port: int = 0, on_request: Observer | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:  # fmt: skip
        self._server = _Server((host, port), app, on_request, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        host = str(self._server.server_address[0])
        return f"{self._server.scheme}://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return self._server.connections

    def close(self) -> None:
        """Stop listening and hang up on every client. May be called twice."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.hang_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class _Server(HTTPServer):
    """One daemon thread a connection, and a list of them: an idle keep-alive connection would outlive `close`."""

    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], app: WSGIApplication, on_request: Observer | None, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(address, _Handler)
        self.app = app
        self.on_request = on_request
        self.scheme = "https" if tls else "http"
        self._tls = tls
        self._connections: dict[Any, threading.Thread] = {}
        self._lock = threading.Lock()

    def server_bind(self) -> None:
        """Bind without the reverse name look-up of `HTTPServer`, which can take seconds."""
        super(HTTPServer, self).server_bind()
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._tls is not None:  # the handshake comes with the first bytes read, in the connection's own thread
            request = self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=self._serve, args=(request, client_address), daemon=True)
        with self._lock:
            self._connections[request] = thread
        thread.start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except ConnectionAbortedError:
            _reset_on_close(request)
            self.close_request(request)
        except OSError:  # a client that goes away is no event here
            self.shutdown_request(request)
        else:
            self.shutdown_request(request)
        with self._lock:
            self._connections.pop(request, None)

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._connections)

    def hang_up(self, within: float = 0.2) -> None:
        """Break open connections; give their threads ``within`` seconds in all, as an application may be asleep."""
        with self._lock:
            connections = dict(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + within
        for thread in connections.values():
            thread.join(max(0.0, deadline - time.monotonic()))


def _reset_on_close(connection: socket.socket) -> None:
    """Have `close` throw away what is not delivered, and tell the other side by a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        if "Transfer-Encoding" in self.headers:
            self.send_error(411)
            self.close_connection = True
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.on_request is not None:
            self.server.on_request(self.command, self._target, dict(self.headers.items()), body)
        self._reply(_ReplyWriter(self), body)

    def _reply(self, reply: _ReplyWriter, body: bytes) -> None:
        try:
            chunks = self.server.app(self._environ(body), reply.start_response)
            try:
                reply.send(chunks)
            finally:
                getattr(chunks, "close", lambda: None)()
        except OSError:
            raise
        except Exception:
            # a test that gets a bare 500 should find the reason in its output
            traceback.print_exc(file=sys.stderr)
            reply.fail()

    @property
    def _target(self) -> str:
        """Path and query as sent; `path` is not, in it ``//Users`` has become ``/Users`` (P73)."""
        return self.requestline.split()[1]

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self._target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": self.server.server_name,
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type") or "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self.server.scheme,
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            SOCKET: self.connection,
        }
        sent = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in self.headers.items()}
        for elsewhere in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
            sent.pop(elsewhere, None)
        return environ | sent

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: output belongs to the test or command that runs this."""


class _ReplyWriter:
    """Sends one reply: head and first chunk in one packet, so that a small reply is never delayed."""

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self._head_sent = False

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self._status, self._headers = status, list(headers)
        return self._write

    def send(self, chunks: Iterable[bytes]) -> None:
        if isinstance(chunks, (list, tuple)):
            chunks = [b"".join(chunks)]
            self._declare_length(len(chunks[0]))
        sent = 0
        for chunk in chunks:
            self._write(chunk)
            sent += len(chunk)
        if not self._head_sent:
            self._write(b"")
        self._close_unless_framed(sent)

    def fail(self) -> None:
        """500 where nothing was sent yet; a reply cut in two otherwise."""
        if not self._head_sent:
            self._status, self._headers = "500 Internal Server Error", [("Content-Length", "0")]
            self._write(b"")
        self._handler.close_connection = True

    def _length(self) -> int | None:
        return next((int(value) for name, value in self._headers if name.lower() == "content-length"), None)

    def _bodiless(self) -> bool:
        return self._status.startswith(_BODILESS) or self._handler.command == "HEAD"

    def _declare_length(self, length: int) -> None:
        if self._length() is None and not self._status.startswith(_BODILESS):
            self._headers.append(("Content-Length", str(length)))

    def _close_unless_framed(self, sent: int) -> None:
        """Hang up where the client could not tell the end of this body, or would wait for the rest of it."""
        if not self._bodiless() and self._length() != sent:
            self._handler.close_connection = True

    def _write(self, chunk: bytes) -> None:
        body = b"" if self._bodiless() else chunk
        if not self._head_sent:
            self._head_sent = True
            lines = [f"HTTP/1.1 {self._status}", *(f"{name}: {value}" for name, value in self._headers), "", ""]
            body = "\r\n".join(lines).encode("latin-1") + body
        if body:
            self._handler.wfile.write(body)
