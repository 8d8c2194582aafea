"""Finding one resource by the value of an attribute, with servers whose filters cannot be trusted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from connector_core.errors import AmbiguousName, CredentialsRefused, NotFound, OperationRefused
from connector_core.model import Json
from connector_core.scim.listing import ListReply
from connector_core.scim.paging import walk
from connector_core.scim.reading import ScimRow, id_of

if TYPE_CHECKING:
    from connector_core.scim.client import ScimClient


def equals(attribute: str, value: str) -> str:
    """``attribute eq "value"``, the value as the JSON string that RFC 7644 section 3.4.2.2 asks for (P68)."""
    return f"{attribute} eq {json.dumps(value, ensure_ascii=False)}"


def find(client: ScimClient, endpoint: str, attribute: str, value: str, *, count: int) -> dict[str, Any] | None:
    """The one resource whose ``attribute`` is ``value`` in any case, or None.

    The rows are compared here too (P67, P69). Where the filter is refused or ignored, the whole listing is read,
    ``count`` rows at a time; a refusal is remembered for as long as the client is. `AmbiguousName` where several fit.
    """
    reply = _filtered(client, endpoint, attribute, value)
    if reply is None:
        return _only(_matching(walk(client, endpoint, count=count), attribute, value), value)
    reply.refuse_hidden()
    found = _matching(reply.rows, attribute, value)
    if reply.rows and not found:
        found = _matching(walk(client, endpoint, count=count), attribute, value)
    return _only(found, value)


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


def _matching(rows: Iterable[Json], attribute: str, value: str) -> list[dict[str, Any]]:
    wanted = value.strip().casefold()
    return [
        row
        for row in rows
        if isinstance(row, dict) and (ScimRow(row).text(attribute) or "").strip().casefold() == wanted
    ]


def _only(found: list[dict[str, Any]], value: str) -> dict[str, Any] | None:
    by_id = {id_of(row): row for row in found}  # the same resource twice is one (P07)
    if len(by_id) > 1:
        raise AmbiguousName(f"{len(by_id)} resources are called {value}", hint="name the one you mean by its id")
    return next(iter(by_id.values()), None)
