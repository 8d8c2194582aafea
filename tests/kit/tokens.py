"""No tests: an OAuth 2 token endpoint and the API behind it, as a WSGI application."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs, unquote_plus
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

CLIENT, SECRET, REFRESH = "client:1", "secret+of/the=client", "refresh-token-0"


class TokenApplication:
    """``POST /token`` gives bearer tokens that are good for ``seconds`` by ``now``; its reply says ``expires_in``.

    A refresh token is good once; the reply brings the next. ``log`` holds what came, in words; ``refusals`` are given
    in place of tokens, status and document, as long as there are some. ``api`` answers what bears a good token.
    """

    def __init__(
        self, now: Callable[[], float], *, seconds: float = 60, expires_in: object = 60,
        api: WSGIApplication | None = None,
    ) -> None:  # fmt: skip
        self.log: list[str] = []
        self.refusals: list[tuple[str, object]] = []
        self.refresh_token = REFRESH
        self._api = api
        self._now = now
        self._seconds = seconds
        self._expires_in = expires_in
        self._ends: dict[str, float] = {}

    def revoke(self) -> None:
        """No access token given so far is good any more."""
        self._ends.clear()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        good = self._is_good(environ.get("HTTP_AUTHORIZATION", ""))
        if good and self._api:
            return self._api(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        if environ["PATH_INFO"] == "/token":
            status, document = self._token(environ, {k: v[0] for k, v in parse_qs(body).items()})
        else:
            status, document = ("200 OK", {"good": True}) if good else ("401 Unauthorized", {})
            self.log.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} {status[:3]}")
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(document).encode()]

    def _is_good(self, header: str) -> bool:
        return self._ends.get(header.removeprefix("Bearer "), 0.0) > self._now()

    def _token(self, environ: WSGIEnvironment, asked: dict[str, str]) -> tuple[str, object]:
        self.log.append(asked["grant_type"])
        if self.refusals:
            return self.refusals.pop(0)
        if self._client(environ, asked) != (CLIENT, SECRET):
            return "401 Unauthorized", {"error": "invalid_client"}
        if asked["grant_type"] == "refresh_token" and asked["refresh_token"] != self.refresh_token:
            return "400 Bad Request", {"error": "invalid_grant", "error_description": asked["refresh_token"]}
        token = f"access-token-{len(self.log)}"
        self._ends[token] = self._now() + self._seconds
        document = {"access_token": token, "token_type": "Bearer", "expires_in": self._expires_in}
        if asked["grant_type"] == "refresh_token":
            self.refresh_token = document["refresh_token"] = f"refresh-token-{len(self.log)}"
        return "200 OK", document

    def _client(self, environ: WSGIEnvironment, asked: dict[str, str]) -> tuple[str, str]:
        header = environ.get("HTTP_AUTHORIZATION", "")
        if not header:
            return asked.get("client_id", ""), asked.get("client_secret", "")
        user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        return unquote_plus(user), unquote_plus(password)
