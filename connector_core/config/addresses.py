"""Addresses among the settings: what may not stand in one, and how one is shown."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from connector_core.errors import ConfigurationError

_QUERY_VALUE = re.compile(r"(?<==)[^&#]+")


def refuse_credentials(address: str, what: str) -> None:
    """Refuse an address with a user name or a password: addresses are shown and logged.

    :param what: the setting and where its value was found.
    :raises ConfigurationError: it holds one, which is not quoted; or it cannot be read.
    """
    try:
        parts = urlsplit(address)
        has_credentials = "@" in parts.netloc
    except ValueError:
        raise ConfigurationError(f"{what} is not understood", hint="it should look like https://host/path") from None
    if has_credentials:
        raise ConfigurationError(
            f"{what} holds a user name or password",
            hint="take what stands before the @ out of the address; it is shown and logged",
        )


def shown(address: str) -> str:
    """Return an address as it may be shown: without credentials, the values of its query hidden."""
    head, mark, query = address.partition("?")
    scheme, slashes, rest = head.partition("//")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        authority = f"***@{authority.rpartition('@')[2]}"
    return f"{scheme}{slashes}{authority}{slash}{path}{mark}{_QUERY_VALUE.sub('***', query)}"
