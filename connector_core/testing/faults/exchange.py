"""One request and its answer, as a fault sees them."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Callable, Iterable, Mapping
from http.client import responses
from typing import Any
from urllib.parse import parse_qsl, urlencode
from wsgiref.types import WSGIApplication, WSGIEnvironment

from attrs import evolve, frozen

from connector_core.clock import Clock
from connector_core.http.loopback import SOCKET

Document = dict[str, Any]

COLLECTIONS = ("Users", "Groups")
MEDIA_TYPE = "application/scim+json"
NOBODY = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 0, "Resources": []}


@frozen(kw_only=True)
class Exchange:
    """A request. ``environ`` is what the application is given, with ``params`` and ``body`` in place of its own."""

    method: str
    path: str
    params: Mapping[str, str]
    body: bytes
    environ: WSGIEnvironment
    clock: Clock

    @property
    def kind(self) -> str:
        """What is asked: ``list``, ``filter`` (a listing with one), ``one`` (by its id), a write, or ``other``."""
        *_, before, last = ["", "", *self.path.rstrip("/").split("/")]
        if last in COLLECTIONS:
            reads = "filter" if "filter" in self.params else "list"
            return {"GET": reads, "POST": "create"}.get(self.method, "other")
        if before not in COLLECTIONS:
            return "other"
        verbs: dict[str, str] = {"GET": "one", "PATCH": "patch", "PUT": "put", "DELETE": "delete"}
        return verbs.get(self.method, "other")

    @property
    def id(self) -> str:
        """The last part of the path."""
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def document(self) -> Any:
        """The JSON that was sent, None where there is none."""
        return _json(self.body)

    def number(self, name: str, default: int) -> int:
        """A parameter as a number."""
        text = self.params.get(name, "")
        return int(text) if text.lstrip("-").isdigit() else default

    def header(self, name: str) -> str:
        """A header as it was sent, or nothing."""
        key = name.upper().replace("-", "_")
        return str(self.environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", ""))

    def asking(self, **params: str | int | None) -> Exchange:
        """The same with other parameters; None takes one away."""
        changed = {**self.params, **{name: None if v is None else str(v) for name, v in params.items()}}
        return evolve(self, params={name: value for name, value in changed.items() if value is not None})

    def sending(self, document: Any, *, method: str | None = None, path: str | None = None) -> Exchange:
        """The same with another body, verb or path."""
        body = b"" if document is None else json.dumps(document).encode()
        return evolve(self, body=body, method=method or self.method, path=path or self.path)

    @property
    def line(self) -> socket.socket:
        """The connection, for what no HTTP server would do."""
        line: socket.socket = self.environ[SOCKET]
        return line


@frozen(kw_only=True)
class Answer:
    """A reply. ``send`` puts it on the connection in place of a server that does it right, and ends the connection."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    send: Callable[[socket.socket, bytes], None] | None = None

    @property
    def document(self) -> Any:
        """The JSON in it, None where there is none."""
        return _json(self.body)

    @property
    def rows(self) -> list[Any] | None:
        """The resources of a listing, None where it is none."""
        document = self.document
        rows = document.get("Resources") if isinstance(document, dict) and self.status == 200 else None
        return rows if isinstance(rows, list) else None

    def saying(self, document: Any, status: int | None = None) -> Answer:
        """The same with other JSON in it."""
        return evolve(self.holding(json.dumps(document, ensure_ascii=False).encode()), status=status or self.status)

    def holding(self, body: bytes, **headers: str) -> Answer:
        """Return the same with another body, and with these headers added or replaced (``Content_Type=``)."""
        new = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        kept = [(n, v) for n, v in self.headers if n.lower() not in {*new, "content-length"}]
        return evolve(self, body=body, headers=(*kept, *((n.title(), v) for n, v in new.items())))

    def raw(self, length: int | None = None) -> bytes:
        """As it goes over the wire; ``length`` is what it says of its own length."""
        headers = [(n, v) for n, v in self.headers if n.lower() != "content-length"]
        headers.append(("Content-Length", str(len(self.body) if length is None else length)))
        lines = [f"HTTP/1.1 {self.status} {phrase(self.status)}", *(f"{n}: {v}" for n, v in headers), "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body


Proceed = Callable[[Exchange], Answer]
"""Asks what lies behind: the next fault, and at last the application."""


def reply(status: int, document: Any = None, **headers: str) -> Answer:
    """An answer with JSON, or without a body."""
    body = b"" if document is None else json.dumps(document).encode()
    kind = {} if document is None else {"Content_Type": MEDIA_TYPE}
    return Answer(status=status).holding(body, **{**kind, **headers})


def refused(status: int, detail: str, scim_type: str | None = None, **headers: str) -> Answer:
    """An error in SCIM's words (RFC 7644 section 3.12)."""
    document: Document = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": str(status)}
    if scim_type:
        document["scimType"] = scim_type
    return reply(status, {**document, "detail": detail}, **headers)


def page(text: str, status: int = 200) -> Answer:
    """A web page, as proxies and sign-in forms answer."""
    return Answer(status=status).holding(f"<html><body>{text}</body></html>".encode(), Content_Type="text/html")


def phrase(status: int) -> str:
    """The words after a status."""
    return responses.get(status, "Unknown")


def received(environ: WSGIEnvironment, clock: Clock) -> Exchange:
    """The request in a WSGI environment, its body read."""
    return Exchange(
        method=str(environ["REQUEST_METHOD"]), path=str(environ.get("PATH_INFO", "")), clock=clock, environ=environ,
        params=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        body=environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)),
    )  # fmt: skip


def answered(app: WSGIApplication, exchange: Exchange) -> Answer:
    """What the application says."""
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        head[:] = [int(status.split()[0]), headers]
        return lambda chunk: None

    body = b"".join(_chunks(app(_environ(exchange), start_response)))
    return Answer(status=head[0], headers=tuple(head[1]), body=body)


def _chunks(chunks: Iterable[bytes]) -> Iterable[bytes]:
    try:
        yield from chunks
    finally:
        getattr(chunks, "close", lambda: None)()


def _environ(exchange: Exchange) -> WSGIEnvironment:
    return {
        **exchange.environ, "REQUEST_METHOD": exchange.method, "PATH_INFO": exchange.path,
        "QUERY_STRING": urlencode(exchange.params), "CONTENT_LENGTH": str(len(exchange.body)),
        "wsgi.input": io.BytesIO(exchange.body),
    }  # fmt: skip


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):  # another fault's doing
        return None
