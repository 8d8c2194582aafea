"""Invented members of a workspace, as the bytes of SCIM listings (RFC 7644 section 3.4.2).

Members differ by their numbers, so few have to be kept: a thousand rows are written once, with a mark where the
thousands of the number belong, and any page is a slice of them with the marks filled in. A page of 100 takes some 20
microseconds, and a listing of a million members no more memory than one of a thousand.
"""

from __future__ import annotations

import json
import random
from itertools import accumulate

_BLOCK = 1000
_MARK = "\x7f"  # in no name
_CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
_EXTENSION = "urn:ietf:params:scim:schemas:extension:whimsical:2.0:User"
_LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_GIVEN = ("Ada", "Alan", "Barbara", "Chen", "Dana", "Edsger", "Grace", "Hedy", "Ines", "Joan", "Ken", "Radia")
_FAMILY = ("Abbot", "Castro", "Dubois", "Eriksen", "Haddad", "Ivanov", "Kaya", "Müller", "Nakamura", "Okoye", "Šimić")


class People:
    """``total`` members, numbered from 0. With ``changed``, one in a hundred is not as without."""

    def __init__(self, total: int, *, changed: bool = False) -> None:
        self.total = total
        # ids in an order of their own, as random ones are, and the same in every process
        scattered = random.Random(1).sample(range(2**32), _BLOCK)
        rows = [_row(number, begin, changed) for number, begin in enumerate(scattered)]
        self._rows = b",".join(rows)
        self._begins = [0, *accumulate(len(row) + 1 for row in rows)]

    def page(self, start: int, count: int) -> bytes:
        """The reply to ``startIndex`` (from 1) and ``count``."""
        begin = min(max(start, 1) - 1, self.total)
        end = min(begin + count, self.total)
        return (
            f'{{"schemas":["{_LIST}"],"totalResults":{self.total},"startIndex":{begin + 1},'
            f'"itemsPerPage":{end - begin},"Resources":['
        ).encode() + b"%b]}" % self._between(begin, end)

    def _between(self, begin: int, end: int) -> bytes:
        """The rows of members ``begin`` to ``end``, the latter left out."""
        parts = []
        while begin < end:
            thousands, first = divmod(begin, _BLOCK)
            last = min(first + end - begin, _BLOCK)
            rows = self._rows[self._begins[first] : self._begins[last] - 1]
            parts.append(rows.replace(_MARK.encode(), b"%04d" % thousands))
            begin += last - first
        return b",".join(parts)


def desired_roles(total: int) -> str:
    """Who should have what, as `plan` reads it: as `People` are, but for one in a thousand who becomes an editor."""
    lines = ["email,role"]
    for number in range(total):
        if number % 50 != 7:
            given = _GIVEN[number % _BLOCK % len(_GIVEN)].lower()
            role = "editor" if number % 4 == 0 or number % 1000 == 501 else "viewer"
            lines.append(f"{given}.{number:07d}@example.com,{role}")
    return "\n".join(lines) + "\n"


def _row(number: int, scattered: int, changed: bool) -> bytes:
    """The member who is ``number`` within their block, the thousands marked.

    One in four is an editor, one in fifty disabled. Of those who change, seven in ten get a new name and three the
    other role: few enough for the guard against removals.
    """
    changed = changed and number % 100 == 50
    swapped = changed and number % 400 == 50
    given, family = _GIVEN[number % len(_GIVEN)], _FAMILY[number // len(_GIVEN) % len(_FAMILY)]
    login = f"{given.lower()}.{_MARK}{number:03d}@example.com"
    member = {
        "schemas": [_CORE, _EXTENSION],
        "id": f"{scattered:08x}-0000-4000-8000-00000{_MARK}{number:03d}",
        "userName": login,
        "name": {"givenName": given, "familyName": f"{family}-Grey" if changed and not swapped else family},
        "emails": [{"value": login, "type": "work", "primary": True}],
        "active": number % 50 != 7,
        _EXTENSION: {"editor": (number % 4 == 0) != swapped},
        "meta": {"resourceType": "User", "created": "2026-01-01T00:00:00Z"},
    }
    return json.dumps(member, ensure_ascii=False, separators=(",", ":")).encode()
