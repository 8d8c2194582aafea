"""SCIM 2.0 (RFC 7643, 7644, 9865) for any connector: strict in what it sends, tolerant in what it reads.

A connector makes a `ScimClient`, reads pages with `paging`, rows with `reading`, and writes what `patch` composes.
Numbers such as P35 name the behaviour of real servers that a line answers to; docs/scim-facts.md explains them.

::

    urls.py      one base, and addresses below it
    client.py    requests, and replies turned into documents or errors
    status.py    a status that is no success, as an error
    listing.py   the envelope around the rows of a query
    paging.py    a listing read page by page
    reading.py   rows read tolerantly, one by one
    filters.py   resources by a name in an attribute
    users.py     users: listed, looked up, created, changed
    groups.py    groups and their members
    presence.py  whether a resource is really gone
    patch.py     the body of a PATCH
    provider.py  what a service provider says of itself
"""

from __future__ import annotations

from connector_core.http.auth import bearer, clean_token
from connector_core.scim.client import ScimClient
from connector_core.scim.filters import find, find_all
from connector_core.scim.groups import ScimGroups
from connector_core.scim.patch import MemberStyle, PatchStyle, replace
from connector_core.scim.presence import existing
from connector_core.scim.provider import ProviderFeatures, attributes, features
from connector_core.scim.reading import Extension, ScimRow, read_rows
from connector_core.scim.users import ScimUsers, new_user

__all__ = [
    "Extension",
    "MemberStyle",
    "PatchStyle",
    "ProviderFeatures",
    "ScimClient",
    "ScimGroups",
    "ScimRow",
    "ScimUsers",
    "attributes",
    "bearer",
    "clean_token",
    "existing",
    "features",
    "find",
    "find_all",
    "new_user",
    "read_rows",
    "replace",
]  # fmt: skip
