"""What a service provider says of itself (RFC 7643 sections 5 and 7): read field by field, and never required.

Providers leave these documents out, guard them, or say what is not so (P71). So each answer may be None, for "it does
not say", and nothing here is a reason to refuse a request that may well work.
"""

from __future__ import annotations

from attrs import frozen

from connector_core.errors import ApplicationError, CredentialsRefused, RowRejected
from connector_core.model import Json
from connector_core.scim.client import ScimClient
from connector_core.scim.reading import ScimRow

_CONFIGURATION = "ServiceProviderConfig"
_SCHEMAS = "Schemas"
_UNSAID = (ApplicationError, CredentialsRefused)


@frozen(kw_only=True)
class ProviderFeatures:
    """What a service provider says that it can do. ``max_results``: rows that a page holds at most.

    ``cursors``: whether listings may be paged by cursors (RFC 9865).
    """

    patch: bool | None = None
    filter: bool | None = None
    max_results: int | None = None
    etag: bool | None = None
    cursors: bool | None = None


def features(client: ScimClient) -> ProviderFeatures:
    """Ask for ``/ServiceProviderConfig``; nothing is known where it is not answered."""
    document = _said(client, _CONFIGURATION)
    if not isinstance(document, dict):
        return ProviderFeatures()
    row = ScimRow(document)
    most = (row.part("filter") or ScimRow({})).get("maxResults")
    return ProviderFeatures(
        patch=_flag(row.part("patch"), "supported"), filter=_flag(row.part("filter"), "supported"),
        max_results=most if isinstance(most, int) and not isinstance(most, bool) and most > 0 else None,
        etag=_flag(row.part("etag"), "supported"), cursors=_flag(row.part("pagination"), "cursor"),
    )  # fmt: skip


def attributes(client: ScimClient, urn: str) -> frozenset[str] | None:
    """Ask ``/Schemas`` for the names of a schema's attributes, as they are spelled there; None where it does not say.

    Of complex attributes the name alone, such as ``emails``.
    """
    document = _said(client, _SCHEMAS)
    schemas = ScimRow(document).get("Resources") if isinstance(document, dict) else None
    for schema in schemas if isinstance(schemas, list) else ():
        if isinstance(schema, dict) and str(ScimRow(schema).get("id")).casefold() == urn.casefold():
            listed = ScimRow(schema).get("attributes")
            named = [ScimRow(a).text("name") for a in listed if isinstance(a, dict)] if isinstance(listed, list) else []
            return frozenset(filter(None, named))
    return None


def _said(client: ScimClient, endpoint: str) -> Json:
    try:
        return client.document(endpoint)
    except _UNSAID:
        return None


def _flag(part: ScimRow | None, name: str) -> bool | None:
    try:
        return part.flag(name) if part is not None else None
    except RowRejected:
        return None
