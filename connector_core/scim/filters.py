"""Finding resources by a name in an attribute, with servers whose filters cannot be trusted."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from connector_core.errors import AmbiguousName, CredentialsRefused, NotFound, OperationRefused
from connector_core.model import Json
from connector_core.names import is_same, lowered, normalized
from connector_core.scim.listing import ListReply
from connector_core.scim.paging import walk
from connector_core.scim.reading import ScimRow, id_of

if TYPE_CHECKING:
    from connector_core.scim.client import ScimClient


def equals(attribute: str, value: str) -> str:
    """``attribute eq "value"``, the value as the JSON string that RFC 7644 section 3.4.2.2 asks for (P68)."""
    return f"{attribute} eq {json.dumps(value, ensure_ascii=False)}"


def find(client: ScimClient, endpoint: str, attribute: str, value: str, *, count: int) -> dict[str, Any] | None:
    """The one resource whose ``attribute`` is the name ``value``, or None, found as `find_all` does.

    `AmbiguousName` where several fit.
    """
    found = find_all(client, endpoint, attribute, value, count=count)
    if len(found) > 1:
        ids = ", ".join(str(id_of(row)) for row in found)
        raise AmbiguousName(f"several resources are called {value}: {ids}", hint="name the one you mean by its id")
    return found[0] if found else None


def find_all(client: ScimClient, endpoint: str, attribute: str, value: str, *, count: int) -> list[dict[str, Any]]:
    """Every resource whose ``attribute`` is the name ``value``, by the rules of `connector_core.names`.

    The filter is asked for the spelling given and in lower case, and the rows are compared here, too (P67, P69). The
    whole listing is read, ``count`` rows at a time, where the filter is refused or ignored, and where it finds nothing
    and may have missed another spelling. What was learnt of the filter is remembered for as long as the client is.
    """
    found: list[dict[str, Any]] = []
    for spelling in _spellings(value):
        reply = _filtered(client, endpoint, attribute, spelling)
        if reply is None:
            return _listed(client, endpoint, attribute, value, count)
        reply.refuse_hidden()
        rows = _matching(reply.rows, attribute, value)
        if reply.rows and not rows:
            return _listed(client, endpoint, attribute, value, count)
        found += rows
    if not found and not _finds_any_spelling(client, endpoint, attribute, value):
        found = _spelt_otherwise(client, endpoint, attribute, value, count)
    return _distinct(found)


def _spellings(value: str) -> list[str]:
    """The spellings that a filter is asked for: lower case, as given, decomposed, and the domain as IDNA writes it."""
    lower = lowered(value.strip())
    return list(dict.fromkeys([lower, value.strip(), normalize("NFD", lower), normalized(value)]))


def _filtered(client: ScimClient, endpoint: str, attribute: str, value: str) -> ListReply | None:
    """The reply to a filter, None where the server refuses it."""
    if (endpoint, attribute) in client.unfiltered:
        return None
    try:
        return client.query(endpoint, {"filter": equals(attribute, value)})
    except OperationRefused:
        client.unfiltered.add((endpoint, attribute))
    except (NotFound, CredentialsRefused):  # a refused token is refused again by the walk
        pass
    return None


def _finds_any_spelling(client: ScimClient, endpoint: str, attribute: str, value: str) -> bool:
    """Whether a filter that found nothing would have found the name in any spelling.

    One resource is asked for in the other case. Of names outside ASCII no filter is trusted to know all spellings.
    """
    if not value.isascii() or "xn--" in value.lower():
        return False
    if value.swapcase() == value:  # nothing that has a case, such as a number
        return True
    if (endpoint, attribute) not in client.any_case:
        client.any_case[endpoint, attribute] = _ignores_case(client, endpoint, attribute)
    return client.any_case[endpoint, attribute]


def _ignores_case(client: ScimClient, endpoint: str, attribute: str) -> bool:
    try:
        rows = list(islice(walk(client, endpoint, count=1), 1))
    except (OperationRefused, NotFound):
        return False
    if not rows:
        return True
    name = (ScimRow(rows[0]).text(attribute) or "").strip() if isinstance(rows[0], dict) else ""
    if not name.isascii() or name.swapcase() == name:
        return False
    reply = _filtered(client, endpoint, attribute, name.swapcase())
    return reply is not None and bool(_matching(reply.rows, attribute, name))


def _spelt_otherwise(client: ScimClient, endpoint: str, attribute: str, value: str, count: int) -> list[dict[str, Any]]:
    """What the listing has under another spelling, read again as it is now. The spellings of all are read only once."""
    if (endpoint, attribute) not in client.spellings:
        spellings: dict[str, set[str]] = defaultdict(set)
        for row in walk(client, endpoint, count=count):
            if isinstance(row, dict) and (name := ScimRow(row).text(attribute)):
                spellings[normalized(name)].add(name)
        client.spellings[endpoint, attribute] = spellings
    known = client.spellings[endpoint, attribute].get(normalized(value), set())
    replies = [_filtered(client, endpoint, attribute, name) for name in sorted(known)]
    rows = [row for reply in replies if reply is not None for row in _matching(reply.rows, attribute, value)]
    return rows if rows or not known else _listed(client, endpoint, attribute, value, count)


def _listed(client: ScimClient, endpoint: str, attribute: str, value: str, count: int) -> list[dict[str, Any]]:
    return _distinct(_matching(walk(client, endpoint, count=count), attribute, value))


def _matching(rows: Iterable[Json], attribute: str, value: str) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict) and is_same(ScimRow(row).text(attribute), value)]


def _distinct(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same resource twice is one (P07)."""
    return list({id_of(row): row for row in rows}.values())
