"""Secrets out of everything printable (P74)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

_SHORTEST = 4  # hiding less would blank out ordinary words, and protects nothing that can be called a secret


class Mask:
    """Knows secrets and the shapes they are written in, and replaces them by ``***``. Safe in threads."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self.learn(*secrets)

    def __call__(self, text: str) -> str:
        pattern = self._pattern
        return text if pattern is None else pattern.sub("***", text)

    def learn(self, *secrets: str) -> None:
        """From now on hide these too, as they are, percent-encoded, and in Base64."""
        fresh = {shape for secret in secrets for shape in _shapes(secret) if len(shape) >= _SHORTEST}
        if fresh <= self._known:
            return
        self._known |= fresh
        # The longest first, so that a secret which begins like another one is hidden whole.
        self._pattern = re.compile("|".join(map(re.escape, sorted(self._known, key=len, reverse=True))))

    def learn_headers(self, headers: Mapping[str, str]) -> None:
        """Hide what these authenticating headers carry: each value, what follows a scheme, and what Basic wraps."""
        for value in headers.values():
            if value not in self._known:
                self.learn(value, *_credentials(value))


def _shapes(secret: str) -> Iterator[str]:
    stripped = secret.strip()
    yield stripped
    yield quote(stripped, safe="")
    yield quote_plus(stripped)
    yield base64.b64encode(stripped.encode()).decode().rstrip("=")


def _credentials(value: str) -> Iterator[str]:
    scheme, _, rest = value.strip().partition(" ")
    if not rest:
        return
    yield rest
    if scheme.lower() == "basic":
        user, _, password = _from_base64(rest).partition(":")
        yield password or user


def _from_base64(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except ValueError:
        return ""
