"""Invented people in the place of real ones, before anything of a real workspace is written to a file.

What may stay is listed, not what must go: an attribute that nobody thought of is replaced, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

# Texts under these keys say nothing of a person. A `detail` may name one, so it is not here.
_IMPERSONAL = frozenset((
    "schemas", "id", "meta", "resourceType", "location", "created", "lastModified", "version",
    "type", "scimType", "status", "op", "path", "nextCursor",
))  # fmt: skip
_EMAIL = re.compile(r"""[^\s"<>(),;:@\[\]\\/]+@[^\s"'<>(),;:@\[\]\\/]+""")
_INVENTED = re.compile(r"@(?:[\w-]+\.)*example\.(?:com|org)$", re.IGNORECASE)


class Scrubber:
    """Replaces the same text by the same invention as long as it lives, in any case for addresses.

    :param names: inventions decided beforehand, by the address that they stand for.
    """

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self._addresses = {address.casefold(): invented for address, invented in (names or {}).items()}
        self._texts: dict[str, str] = {}

    def body(self, raw: bytes | None) -> bytes | None:
        """A JSON body; one that is something else is dropped, as nobody knows what it says."""
        if not raw:
            return raw
        try:
            document = json.loads(raw)
        except ValueError:
            return b""
        return json.dumps(self._value(document, ""), ensure_ascii=False).encode()

    def url(self, url: str) -> str:
        """Addresses in the path (an id may be one) and in the query."""
        parts = urlsplit(url)
        steps = [quote(self._with_addresses(unquote(step)), safe="") for step in parts.path.split("/")]
        query = [(name, self._with_addresses(value)) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
        return parts._replace(path="/".join(steps), query=urlencode(query)).geturl()

    def _value(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: self._value(part, name) for name, part in value.items()}
        if isinstance(value, list):
            return [self._value(part, key) for part in value]
        return self._text(value, key) if isinstance(value, str) else value

    def _text(self, text: str, key: str) -> str:
        if key in _IMPERSONAL or _EMAIL.fullmatch(text):
            return self._with_addresses(text)
        if key == "userName":  # a login that is no address is looked up as one all the same
            return self._address(text)
        return self._texts.setdefault(text, f"Invented {len(self._texts) + 1}")

    def _with_addresses(self, text: str) -> str:
        return _EMAIL.sub(lambda found: self._address(found[0]), text)

    def _address(self, address: str) -> str:
        if _INVENTED.search(address):
            return address
        return self._addresses.setdefault(address.casefold(), f"invented{len(self._addresses) + 1}@example.com")
