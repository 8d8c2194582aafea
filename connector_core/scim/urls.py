"""Addresses: one base as people paste it, and what hangs below it."""

from __future__ import annotations

from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from connector_core.errors import ConfigurationError, UnknownName
from connector_core.http.address import is_loopback

_HINT = "an address looks like https://api.example.com/scim/v2"


def base(url: str) -> str:
    """The base in its one form (P73): https, without query, fragment and trailing slashes; the path is kept.

    Plain http is for loopback only, as the token travels with every request (P74). A user name or a password in it is
    refused. Raises `ConfigurationError`.
    """
    parts = _split(url.strip())
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ConfigurationError("the address must begin with https://", hint=_HINT)
    if "@" in parts.netloc:
        raise ConfigurationError("the address holds a user name or password", hint=_HINT)
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def endpoint(base: str, name: str, id: str | None = None) -> str:
    """The address of a listing (``Users``) or of one resource in it; the id is quoted whole (P27).

    Raises `UnknownName` for an id that no resource can have: of dots an address would make another one.
    """
    url = f"{base}/{name}"
    if id in ("", ".", ".."):
        raise UnknownName(f"no resource can have the id {id!r}")
    return url if id is None else f"{url}/{quote(id, safe='')}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError:
        raise ConfigurationError("the address cannot be read", hint=_HINT) from None
    if not parts.hostname or not url.isprintable() or " " in url:
        raise ConfigurationError("the address cannot be read", hint=_HINT)
    return parts
