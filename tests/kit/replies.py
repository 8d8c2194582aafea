"""No tests: an application that gives one reply, whatever it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment


class FixedReply:
    """Gives the same reply to each request. ``seen``: method, target and JSON body of each."""

    def __init__(self, status: int = 200, body: Any = b"") -> None:
        self.seen: list[tuple[str, str, Any]] = []
        self.say(status, body)

    def say(self, status: int, body: Any = b"") -> None:
        """Set the reply: bytes as they are, None as nothing, else JSON."""
        self._status = status
        self._body = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()

    def observe(self, method: str, target: str, headers: Any, body: bytes) -> None:
        """Keep a request; for `LoopbackServer`'s ``on_request``."""
        self.seen.append((method, target, json.loads(body) if body else None))

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        start(f"{self._status} -", [])
        return [self._body]
