"""Requests as SCIM wants them: addresses, headers, bodies, and replies turned into documents or errors."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from connector_core.errors import ProtocolError, RowRejected, UsageError
from connector_core.model import Json
from connector_core.scim import listing, status, urls
from connector_core.scim.reading import ScimRow, to_id

if TYPE_CHECKING:
    from connector_core.http import Auth, HttpClient, Response

MEDIA_TYPE = "application/scim+json"
_ACCEPT = {"Accept": f"{MEDIA_TYPE}, application/json;q=0.9"}  # P66, P58
_SENDS = {**_ACCEPT, "Content-Type": MEDIA_TYPE}


class ScimClient:
    """One SCIM service provider.

    :param http: the host's client, the only way to the network.
    :param base_url: as a person pasted it, see `urls.base`.
    :param auth: headers that prove who asks, such as `connector_core.bearer`.
    :param hints: what to do about a status, in the connector's own words; they go before the general ones.

    Every method sends one request, apart from the retries of ``http``, and raises the errors of `status.check`.
    """

    def __init__(self, http: HttpClient, base_url: str, auth: Auth, *, hints: Mapping[int, str] | None = None) -> None:
        self._http = http
        self._base = urls.base(base_url)
        self._auth = auth
        self._hints = hints or {}
        self._parameters: Mapping[str, str] = {}
        self.unfiltered: set[tuple[str, str]] = set()
        """Endpoints and attributes whose filter was refused, so that it is not asked for again (P67)."""
        self.any_case: dict[tuple[str, str], bool] = {}
        """Whether the filter of an endpoint and attribute finds names in any case, where that was tried."""
        self.spellings: dict[tuple[str, str], Mapping[str, Collection[str]]] = {}
        """The spellings of each name in a listing, where its filter finds only one of them."""

    def asking(self, **parameters: str) -> ScimClient:
        """Return a client whose queries carry further parameters, such as ``excludedAttributes``."""
        asking = copy(self)
        asking._parameters = {**self._parameters, **parameters}
        return asking

    def query(self, endpoint: str, params: Mapping[str, str | int]) -> listing.ListReply:
        """One page of a listing (RFC 7644 section 3.4.2)."""
        asked = {**params, **self._parameters}
        return listing.parse(_required(*self._send("GET", urls.endpoint(self._base, endpoint), params=asked)))

    def get(self, endpoint: str, id: str) -> dict[str, Any]:
        """One resource (section 3.4.1). `NotFound` alone is no proof that there is none, see `presence.existing`."""
        return _required(*self._send("GET", urls.endpoint(self._base, endpoint, id)))

    def document(self, path: str) -> dict[str, Any]:
        """A document that is no resource, such as ``/ServiceProviderConfig`` (section 4)."""
        return _required(*self._send("GET", urls.endpoint(self._base, path)))

    def create(self, endpoint: str, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """Create a resource (section 3.3); what the server made of it, or None where it does not say.

        An id that only the ``Location`` header names is put into the document (P50).
        """
        response, reply = self._send("POST", urls.endpoint(self._base, endpoint), document)
        made = reply if isinstance(reply, dict) else {}
        if ScimRow(made).get("id") is None and (named := _id_in_location(response)) is not None:
            made = {**made, "id": named}
        return made or None

    def patch(self, endpoint: str, id: str, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """Change a resource (section 3.5.2); what it is now, or None where the reply has no body (P38)."""
        _, reply = self._send("PATCH", urls.endpoint(self._base, endpoint, id), document)
        return reply if isinstance(reply, dict) and reply else None

    def replace(self, endpoint: str, id: str, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """Replace a resource by PUT (section 3.5.1); what it is now, or None where the reply has no body.

        What the document leaves out may be lost (P42): it must come from a read just before.
        """
        _, reply = self._send("PUT", urls.endpoint(self._base, endpoint, id), document)
        return reply if isinstance(reply, dict) and reply else None

    def delete(self, endpoint: str, id: str) -> None:
        """Delete a resource (section 3.6). `NotFound` where it was gone already (P54)."""
        self._send("DELETE", urls.endpoint(self._base, endpoint, id))

    def _send(
        self,
        method: str,
        url: str,
        document: Mapping[str, Any] | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> tuple[Response, Json]:
        body = None if document is None else _encoded(document)
        headers = _ACCEPT if body is None else _SENDS
        response = self._http.request(method, url, headers=headers, params=params, body=body, auth=self._auth)
        reply = status.readable(response)
        status.check(response, reply, mask=self._http.mask, hints=self._hints)
        if reply is None and _is_foreign(response):
            response.json()  # says what is wrong with it
        return response, reply


def _encoded(document: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UsageError("a value holds half a character, which cannot be sent") from None


def _is_foreign(response: Response) -> bool:
    """Whether a success is not the application's own: a page of a proxy or a sign-in form proves no write."""
    return response.body.lstrip().startswith(b"<")


def _required(response: Response, document: Json) -> dict[str, Any]:
    """The object that a read must bring; an empty or foreign body is an error even under a 200 (P37)."""
    if isinstance(document, dict):
        return document
    response.json()  # says what is wrong where it is not JSON at all
    raise ProtocolError(f"{response.method} answered {response.status} with something else than a JSON object")


def _id_in_location(response: Response) -> str | None:
    """The id at the end of a ``Location`` header; the address itself is never followed (P34)."""
    path = urlsplit(response.headers.get("Location") or "").path
    try:
        return to_id(unquote(path.rpartition("/")[2]))
    except RowRejected:
        return None
