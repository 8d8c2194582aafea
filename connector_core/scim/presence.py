"""Whether a resource is really gone: a 404 alone does not say so (P55).

A wrong address, a gateway before an API that was switched off, and a verb that is not routed answer 404 as well, some
of them in JSON. So a control request follows each 404, before anybody takes it for proof.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector_core.errors import NotFound, ProtocolError
from connector_core.scim.paging import first, read
from connector_core.scim.reading import id_of
from connector_core.scim.status import Vague

if TYPE_CHECKING:
    from connector_core.scim.client import ScimClient


def existing(client: ScimClient, endpoint: str, id: str) -> dict[str, Any] | None:
    """One resource, or None where it is proven that there is none.

    A 404 in SCIM's own words is proof where the listing answers; one in other words, or in none, only where the listing
    does not show the resource, another one that it shows is read by its id, and the 404 is said again. Anything else is
    a `ProtocolError`.
    """
    try:
        return client.get(endpoint, id)
    except NotFound as said:
        error = said
    if not (_others_are_read(client, endpoint, id) if isinstance(error, Vague) else _is_listed(client, endpoint)):
        raise ProtocolError(f"{error.message}; that proves nothing, since the same is said of others", hint=error.hint)
    return _read_again(client, endpoint, id) if isinstance(error, Vague) else None


def _read_again(client: ScimClient, endpoint: str, id: str) -> dict[str, Any] | None:
    """A gateway that was without an answer for a moment has one now."""
    try:
        return client.get(endpoint, id)
    except NotFound:
        return None


def _is_listed(client: ScimClient, endpoint: str) -> bool:
    try:
        read(client, endpoint, first(endpoint), count=1)
    except NotFound:
        return False
    return True


def _others_are_read(client: ScimClient, endpoint: str, id: str) -> bool:
    try:
        ids = [id_of(row) for row in read(client, endpoint, first(endpoint), count=2).rows]
        other = next((each for each in ids if each is not None), None)
        return other is not None and id not in ids and id_of(client.get(endpoint, other)) == other
    except NotFound:
        return False
