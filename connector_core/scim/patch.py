"""The body of a PATCH that sets one attribute (RFC 7644 section 3.5.2).

One operation a request, since several are not atomic in practice (P44); always ``replace`` in lower case (P23), as
``remove`` is the least portable of the three (P41); real JSON booleans (P24).
"""

from __future__ import annotations

import json
from typing import Any, Literal

from connector_core.model import Json

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

PatchStyle = Literal["path", "nested", "flat"]
"""How an attribute is named; servers accept different subsets (P20).

- ``path``: ``{"path": "URN:attribute", "value": v}``
- ``nested``: ``{"value": {"URN": {"attribute": v}}}``
- ``flat``: ``{"value": {"URN:attribute": v}}``
"""


def replace(style: PatchStyle, attribute: str, value: Json, *, urn: str | None = None) -> dict[str, Any]:
    """The document that sets ``attribute`` of the core schema, or of the extension ``urn``, to ``value``."""
    name = attribute if urn is None else f"{urn}:{attribute}"
    operation: dict[str, Any]
    if style == "path":
        operation = {"op": "replace", "path": name, "value": value}
    elif style == "nested" and urn is not None:
        operation = {"op": "replace", "value": {urn: {attribute: value}}}
    else:
        operation = {"op": "replace", "value": {name: value}}
    return _patch(operation)


MemberStyle = Literal["path", "value"]
"""How a PATCH takes one member out of a group; servers accept different subsets.

- ``path``: ``{"op": "remove", "path": "members[value eq \"id\"]"}``, the RFC's own shape
- ``value``: ``{"op": "remove", "path": "members", "value": [{"value": "id"}]}``
"""


def add_member(style: MemberStyle, id: str) -> dict[str, Any]:
    """Return the document that adds a member to a group; both styles add alike (RFC 7644 section 3.5.2.1)."""
    return _patch({"op": "add", "path": "members", "value": [{"value": id}]})


def remove_member(style: MemberStyle, id: str) -> dict[str, Any]:
    """Return the document that takes one member out of a group (RFC 7644 section 3.5.2.2)."""
    if style == "path":
        return _patch({"op": "remove", "path": f"members[value eq {json.dumps(id)}]"})
    return _patch({"op": "remove", "path": "members", "value": [{"value": id}]})


def _patch(operation: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": [operation]}
