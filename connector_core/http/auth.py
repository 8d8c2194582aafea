"""Credentials that do not change by themselves: bearer tokens, user name and password, keys."""

from __future__ import annotations

import base64

from connector_core.errors import ConfigurationError
from connector_core.http.values import Auth
from connector_core.model import Secret


def clean_token(token: Secret) -> Secret:
    """Return the token without the white space around it and without a leading ``Bearer`` (P78).

    :raises ConfigurationError: nothing is left, or it holds what no HTTP header can carry. The message never holds
        the token.
    """
    text = token.reveal().strip()
    scheme, _, rest = text.partition(" ")
    if scheme.lower() == "bearer":
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
    """Return an ``auth`` for `HttpClient.request` that sends a fixed token (RFC 6750 section 2.1)."""
    return _fixed("Authorization", f"Bearer {clean_token(token).reveal()}")


def basic(user: str, password: Secret) -> Auth:
    """Return an ``auth`` that sends a user name and a password (RFC 7617), in UTF-8.

    :raises ConfigurationError: the user name holds a colon, which the scheme cannot carry.
    """
    if ":" in user:
        raise ConfigurationError("the user name holds a colon", hint="HTTP basic authentication cannot carry one")
    return _fixed("Authorization", basic_header(user, password.reveal()))


def api_key(key: Secret, *, header: str = "X-Api-Key") -> Auth:
    """Return an ``auth`` that sends a key in a header of its own, without white space around it.

    :raises ConfigurationError: the key is empty.
    """
    text = key.reveal().strip()
    if not text:
        raise ConfigurationError("the key is empty", hint="paste the key itself")
    return _fixed(header, text)


def basic_header(user: str, password: str) -> str:
    """Return the value of the header ``Authorization`` for a user name and a password."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _fixed(header: str, value: str) -> Auth:
    headers = {header: value}
    return lambda _renew: headers
