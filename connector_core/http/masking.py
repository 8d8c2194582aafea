"""Secrets out of everything printable (P74)."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

_CUT = 8  # characters of a secret that was cut short: fewer give little away, and could be any word
_SHORTEST = 4  # hiding less would blank out ordinary words, and protects nothing that can be called a secret


class Mask:
    """Knows secrets and the shapes they are written in, and replaces them by ``***``. Safe in threads."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self.learn(*secrets)

    def __call__(self, text: str) -> str:
        pattern = self._pattern
        return text if pattern is None else self._without_stump(pattern.sub("***", text))

    def learn(self, *secrets: str) -> None:
        """From now on hide these too: as they are, quoted as for JSON, HTML and addresses, in Base64; in any case."""
        fresh = {shape for secret in secrets for shape in _shapes(secret) if len(shape) >= _SHORTEST}
        if fresh <= self._known:
            return
        self._known |= fresh
        # The longest first, so that a secret which begins like another one is hidden whole.
        longest_first = sorted(self._known, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)

    def learn_headers(self, headers: Mapping[str, str]) -> None:
        """Hide what these authenticating headers carry: each value, what follows a scheme, and what Basic wraps."""
        for value in headers.values():
            if value not in self._known:
                self.learn(value, *_credentials(value))

    def _without_stump(self, text: str) -> str:
        """A text may have been cut in the middle of a secret: then it ends with the beginning of the secret."""
        for shape in self._known:
            at = text.find(shape[:_CUT], max(0, len(text) - len(shape)))
            while at >= 0:
                if len(shape) > _CUT and shape.startswith(text[at:]):
                    return f"{text[:at]}***"
                at = text.find(shape[:_CUT], at + 1)
        return text


def _shapes(secret: str) -> Iterator[str]:
    stripped = secret.strip()
    quoted = quote(stripped, safe="")
    in_json = json.dumps(stripped)[1:-1]
    yield from (stripped, quoted, quote(quoted, safe=""), quote_plus(stripped), html.escape(stripped))
    yield from (in_json, in_json.replace("/", "\\/"), json.dumps(stripped, ensure_ascii=False)[1:-1])
    yield from _in_base64(stripped.encode("utf-8", "replace"))


def _in_base64(secret: bytes) -> Iterator[str]:
    """What stands for it within the Base64 of any longer text: that depends on where it begins in it."""
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        whole = base64.b64encode(bytes(before) + secret).decode().rstrip("=")
        certain = whole[skipped : (before + len(secret)) * 8 // 6]  # the others depend on the text around it
        yield from (certain, certain.replace("+", "-").replace("/", "_"))
    yield base64.b64encode(secret).decode().rstrip("=")


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
