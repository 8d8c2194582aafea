"""OAuth 2 (RFC 6749): credentials that the host asks for, keeps while they are good, and renews.

`HttpClient` calls an ``auth`` from one thread at a time, so that one renewal happens at a time. What it requests is a
token request, which is neither a write of the connector nor shown as one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote_plus, urlencode

from connector_core.errors import CredentialsRefused
from connector_core.http.auth import basic_header
from connector_core.http.token_reply import TokenReply, parse_token_reply
from connector_core.http.values import Auth
from connector_core.model import Secret

if TYPE_CHECKING:
    from connector_core.hookspecs import Vault
    from connector_core.http.client import HttpClient

ClientAuthentication = Literal["basic", "post"]
"""How the client says who it is: in a header, or in the body (RFC 6749 section 2.3.1)."""

_EARLY = 30.0  # seconds before its end that a token is renewed, at most a tenth of its time
_LIMIT = "token"
_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


def oauth2_client_credentials(
    http: HttpClient,
    *,
    token_url: str,
    client_id: str,
    client_secret: Secret,
    scope: str | None = None,
    parameters: Mapping[str, str] | None = None,
    client_authentication: ClientAuthentication = "basic",
) -> Auth:
    """Return an ``auth`` that gets its token by client credentials (RFC 6749 section 4.4).

    :param parameters: further parameters of the token request, such as ``audience``.

    The ``auth`` raises `CredentialsRefused` where the client is not accepted, and what `HttpClient.request` raises.
    """
    endpoint = _Endpoint(http, token_url, client_id, client_secret, client_authentication)
    asked = {"grant_type": "client_credentials", **({"scope": scope} if scope else {}), **(parameters or {})}
    return _CachedToken(http, lambda: endpoint.ask(asked, repeatable=True))


def oauth2_refresh(
    http: HttpClient,
    vault: Vault,
    *,
    token_url: str,
    client_id: str,
    client_secret: Secret | None = None,
    refresh_token: Secret,
    scope: str | None = None,
    client_authentication: ClientAuthentication = "basic",
) -> Auth:
    """Return an ``auth`` that gets its token by a refresh token (RFC 6749 section 6).

    :param vault: keeps the refresh token that the application hands out in place of the one used.
    :param refresh_token: the one to begin with. Another one in the settings takes the place of what the vault keeps.
    :param client_secret: None for a public client.

    A new refresh token is kept before the access token that came with it is used. One process at a time renews, so that
    no token is used twice; where another host used it first, the one kept since is used. The ``auth`` raises as that of
    `oauth2_client_credentials`.
    """
    endpoint = _Endpoint(http, token_url, client_id, client_secret, client_authentication)
    kept = _KeptRefreshToken(vault, refresh_token)

    def ask() -> TokenReply:
        with vault.exclusive():
            token = kept.read()
            try:
                reply = endpoint.refresh(token, scope)
            except CredentialsRefused:
                if (newer := kept.read()) == token:
                    raise
                reply = endpoint.refresh(newer, scope)
            if reply.refresh_token is not None:
                kept.keep(reply.refresh_token)
            return reply

    return _CachedToken(http, ask)


class _CachedToken:
    """An ``auth`` that keeps an access token until shortly before its end."""

    def __init__(self, http: HttpClient, ask: _Ask) -> None:
        self._clock = http.clock
        self._http = http
        self._ask = ask
        self._headers: Mapping[str, str] = {}
        self._until = 0.0

    def __call__(self, renew: bool) -> Mapping[str, str]:
        if renew or not self._headers or self._clock.monotonic() >= self._until:
            began = self._clock.monotonic()
            self._headers = {}
            reply = self._ask()
            self._until = began + reply.seconds - min(_EARLY, reply.seconds / 10)
            self._headers = {"Authorization": f"Bearer {reply.access_token}"}
        return self._headers


class _Endpoint:
    """A token endpoint, and the client that asks it."""

    def __init__(
        self, http: HttpClient, url: str, client_id: str, secret: Secret | None, how: ClientAuthentication
    ) -> None:
        self._http = http
        self._url = url
        self._in_body: dict[str, str] = {}
        self._headers = dict(_HEADERS)
        if secret is not None:
            http.conceal(secret)
        if secret is not None and how == "basic":
            # Form-encoded before they are joined, as section 2.3.1 says: a colon in the id would end it too early.
            self._headers["Authorization"] = basic_header(quote_plus(client_id), quote_plus(secret.reveal()))
        else:
            self._in_body = {"client_id": client_id, **({"client_secret": secret.reveal()} if secret else {})}

    def refresh(self, token: str, scope: str | None) -> TokenReply:
        """A refresh token may be good for one use: a request whose reply is lost is not repeated."""
        self._http.conceal(Secret(token))
        asked = {"grant_type": "refresh_token", "refresh_token": token, **({"scope": scope} if scope else {})}
        return self.ask(asked, repeatable=False)

    def ask(self, asked: Mapping[str, str], *, repeatable: bool) -> TokenReply:
        body = urlencode({**asked, **self._in_body}).encode()
        response = self._http.request(
            "POST", self._url, headers=self._headers, body=body, limit=_LIMIT, reads=repeatable
        )
        reply = parse_token_reply(response)
        self._http.conceal(*map(Secret, filter(None, (reply.access_token, reply.refresh_token))))
        return reply


class _KeptRefreshToken:
    """The refresh token in the vault, under a digest of the configured one that it descends from.

    Each has a place of its own: trying another configured one leaves what the first has become.
    """

    _NAME = "oauth2_refresh"

    def __init__(self, vault: Vault, configured: Secret) -> None:
        self._vault = vault
        self._configured = configured.reveal().strip()
        self._origin = hashlib.sha256(self._configured.encode()).hexdigest()

    def read(self) -> str:
        earlier = self._NAME  # one place, whatever is configured
        return self._read(self._place) or self._read(earlier) or self._configured

    def keep(self, token: str) -> None:
        self._vault.put(self._place, json.dumps({"origin": self._origin, "token": token}))

    @property
    def _place(self) -> str:
        return f"{self._NAME}/{self._origin[:16]}"

    def _read(self, name: str) -> str | None:
        try:
            kept = json.loads(self._vault.get(name) or "{}")
            token = kept.get("token") if kept.get("origin") == self._origin else None
        except (ValueError, AttributeError):
            return None
        return token if isinstance(token, str) else None


if TYPE_CHECKING:
    from collections.abc import Callable

    _Ask = Callable[[], TokenReply]
