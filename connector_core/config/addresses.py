"""Addresses among the settings: what may not stand in one, and how one is shown."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from connector_core.errors import ConfigurationError

_BEFORE = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*:(?=[/\\])|https?:)?[/\\]*", re.IGNORECASE)
_QUERY_VALUE = re.compile(r"(?<==)[^&#]+")


def refuse_credentials(address: str, what: str) -> None:
    """Refuse an address with a user name or a password: addresses are shown and logged.

    :param what: the setting and where its value was found.
    :raises ConfigurationError: it holds one, which is not quoted; or it cannot be read.
    """
    try:
        has_credentials = "@" in urlsplit(address).netloc or "@" in _meant(address)[1]
    except ValueError:
        raise ConfigurationError(f"{what} is not understood", hint="it should look like https://host/path") from None
    if has_credentials:
        raise ConfigurationError(
            f"{what} holds a user name or password",
            hint="take what stands before the @ out of the address; it is shown and logged",
        )


def _meant(address: str) -> tuple[str, str, str]:
    """What stands before the authority, the authority, and the rest, however many slashes there are, and which."""
    before = _BEFORE.match(address)
    assert before is not None  # it matches nothing at all, too
    authority = re.split(r"[/?#]", address[before.end() :], maxsplit=1)[0]
    return before[0], authority, address[before.end() + len(authority) :]


def shown(address: str) -> str:
    """Return an address as it may be shown: without credentials, the values of its query hidden."""
    head, mark, query = address.partition("?")
    before, authority, path = _meant(head)
    if "@" in authority:
        authority = f"***@{authority.rpartition('@')[2]}"
    return f"{before}{authority}{path}{mark}{_QUERY_VALUE.sub('***', query)}"
