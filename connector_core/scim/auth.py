"""Bearer tokens as people paste them (P78)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector_core.errors import ConfigurationError
from connector_core.model import Secret

if TYPE_CHECKING:
    from connector_core.http import Auth


def clean_token(token: Secret) -> Secret:
    """The token without the white space around it and without a leading ``Bearer``.

    Raises `ConfigurationError` where nothing is left, or where it holds what no HTTP header can carry; never with the
    token in its message.
    """
    text = token.reveal().strip()
    scheme, _, rest = text.partition(" ")
    if scheme.casefold() == "bearer":
        text = rest.strip()
    if not text:
        raise ConfigurationError("the token is empty", hint="paste the token itself")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigurationError(
            "the token holds spaces, line breaks or characters that no token has",
            hint="paste it again: only the token, on one line",
        )
    return Secret(text)


def bearer(token: Secret) -> Auth:
    """An ``auth`` for `HttpClient.request` that sends a fixed token: asked anew after a 401, it has no other."""
    headers = {"Authorization": f"Bearer {clean_token(token).reveal()}"}
    return lambda _refused: headers
