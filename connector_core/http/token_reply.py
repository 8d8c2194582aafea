"""What a token endpoint replies (RFC 6749 section 5), read without ever quoting it."""

from __future__ import annotations

import math
import re

from attrs import frozen

from connector_core.errors import ApplicationError, ConnectorCoreError, CredentialsRefused, ProtocolError, RateLimited
from connector_core.http.address import path_of
from connector_core.http.remedies import remedy
from connector_core.http.response import Response
from connector_core.model import Json

_TOKEN = re.compile(r"[\x21-\x7e]+")  # RFC 6750 allows less; what no header can carry is refused
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_REFUSED = frozenset({"invalid_client", "invalid_grant", "unauthorized_client", "access_denied"})


@frozen(kw_only=True)
class TokenReply:
    """A token. ``seconds``: how long it is good, infinite where the reply does not say."""

    access_token: str
    refresh_token: str | None
    seconds: float

    def __repr__(self) -> str:
        return f"<TokenReply, good for {self.seconds:g} s>"


def parse_token_reply(response: Response) -> TokenReply:
    """Return the token in a reply.

    :raises CredentialsRefused: the client or its refresh token is not accepted.
    :raises ApplicationError: the endpoint failed, or refused the request for another reason.
    :raises ProtocolError: the reply holds no token that can be sent.
    """
    document = _document(response)
    if response.status >= 300 or isinstance(document.get("error"), str):
        raise _refusal(response, document)
    access = document.get("access_token")
    if not isinstance(access, str) or not _TOKEN.fullmatch(access):
        raise _unusable(response, "without an access token that can be sent")
    kind = document.get("token_type")
    if isinstance(kind, str) and kind.lower() != "bearer":
        raise _unusable(response, "with a token that is not sent as a bearer token")
    refresh = document.get("refresh_token")
    return TokenReply(
        access_token=access,
        refresh_token=refresh if isinstance(refresh, str) and refresh else None,
        seconds=_seconds(document.get("expires_in")),
    )


def _document(response: Response) -> dict[str, Json]:
    try:
        document = response.json()
    except ProtocolError:
        if response.status < 300:
            raise
        document = None
    return document if isinstance(document, dict) else {}


def _refusal(response: Response, document: dict[str, Json]) -> ConnectorCoreError:
    code = document.get("error")
    code = code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else None
    said = f"the token endpoint {path_of(response.url)} answered {response.status}" + (f": {code}" if code else "")
    if code in _REFUSED or response.status in (401, 403):
        return CredentialsRefused(
            said, hint="the client id, the client secret or the refresh token may be wrong, expired or revoked"
        )
    if response.status == 429:
        return RateLimited(said, hint="try again later")
    error = ApplicationError if response.status < 500 else remedy(response.status, response.method)
    return error(said, hint="see that the address of the token endpoint and the scope are right" if code else None)


def _unusable(response: Response, how: str) -> ProtocolError:
    return ProtocolError(f"the token endpoint {path_of(response.url)} answered {response.status} {how}")


def _seconds(value: Json) -> float:
    """Seconds, as a number or as text; what is neither, or is negative, says nothing."""
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.inf
    except (ValueError, OverflowError):
        return math.inf
    return seconds if seconds >= 0 else math.inf
