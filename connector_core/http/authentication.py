"""Credentials of a request: asked for by one thread at a time, hidden from everything printable, renewed once."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from connector_core.errors import ConfigurationError
from connector_core.http.masking import Mask
from connector_core.http.values import Auth

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")


class Authentication:
    """Asks an ``auth`` for headers. What it requests meanwhile, in the same thread, is a token request."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._lock = threading.RLock()  # an `auth` may itself send a request that is authenticated
        self._here = threading.local()

    @property
    def is_asking(self) -> bool:
        """Whether an ``auth`` is being asked in this thread."""
        return getattr(self._here, "asking", False)

    def headers(self, auth: Auth | None) -> Mapping[str, str]:
        """Return the headers as they are now, checked by `checked_headers`; raises what ``auth`` raises."""
        if auth is None:
            return {}
        with self._lock:
            return self._asked(auth, renew=False)

    def renewed(self, auth: Auth, refused: Mapping[str, str]) -> Mapping[str, str]:
        """Return new headers; those that another thread got while these were refused count as new."""
        with self._lock:
            current = self._asked(auth, renew=False)
            return self._asked(auth, renew=True) if current == refused else current

    def _asked(self, auth: Auth, *, renew: bool) -> Mapping[str, str]:
        with self._asking():
            headers = dict(auth(renew))
        self._mask.learn_headers(headers)
        return checked_headers(headers)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        before, self._here.asking = self.is_asking, True
        try:
            yield
        finally:
            self._here.asking = before


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with names in one spelling.

    A line break pasted with a token would otherwise begin a header of its own (P78).

    :raises ConfigurationError: a name or value cannot be sent; the message does not hold the value.
    """
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ConfigurationError(
                f"the header {name[:40]!r} holds characters that cannot be sent",
                hint="Was a token pasted with a line break, or with a character from a word processor?",
            )
    return {name.title(): value for name, value in headers.items()}
