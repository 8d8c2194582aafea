"""What the stand-in server says of itself: /ServiceProviderConfig, /ResourceTypes, /Schemas (RFC 7643, 5 to 7)."""

from __future__ import annotations

from typing import Any

from connector_core.testing.scim_document import MESSAGES, USER, Document
from connector_core.testing.switches import Switches

_CORE = "urn:ietf:params:scim:schemas:core:2.0"


def discovery(switches: Switches, base: str) -> dict[str, Document | list[Document]]:
    """By endpoint: a document, or the list of documents behind it."""
    return {
        "ServiceProviderConfig": _service_provider_config(switches, base),
        "ResourceTypes": [_resource_type(switches, base)],
        "Schemas": [_user_schema(switches, base), _extension_schema(switches, base)],
    }


def _service_provider_config(switches: Switches, base: str) -> Document:
    off = {"supported": False}
    bearer = {"type": "oauthbearertoken", "name": "Bearer token", "description": "The token of the workspace settings"}
    return {
        "schemas": [f"{_CORE}:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {**off, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": switches.page_cap or switches.default_page},
        "changePassword": off,
        "sort": off,
        "etag": off,
        "authenticationSchemes": [bearer],
        "pagination": _pagination(switches),
        "meta": _meta("ServiceProviderConfig", f"{base}/ServiceProviderConfig"),
    }


def _pagination(switches: Switches) -> Document:
    """RFC 9865 section 4."""
    only_cursors = switches.cursor_paging == "only"
    return {
        "cursor": switches.cursor_paging != "off",
        "index": not only_cursors,
        "defaultPaginationMethod": "cursor" if only_cursors else "index",
        "defaultPageSize": switches.default_page,
        **({"maxPageSize": switches.page_cap} if switches.page_cap else {}),
        **({"cursorTimeout": int(switches.cursor_timeout)} if switches.cursor_timeout else {}),
    }


def _resource_type(switches: Switches, base: str) -> Document:
    return {
        "schemas": [f"{_CORE}:ResourceType"],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "description": "A member of the workspace",
        "schema": USER,
        "schemaExtensions": [{"schema": switches.extension, "required": False}],
        "meta": _meta("ResourceType", f"{base}/ResourceTypes/User"),
    }


def _user_schema(switches: Switches, base: str) -> Document:
    names = "immutable" if switches.names_fixed else "readWrite"
    email = "readOnly" if switches.email_follows_login else "readWrite"
    return _schema(
        USER,
        "User",
        base,
        _attribute("userName", required=True, uniqueness="server"),
        _complex(
            "name",
            _attribute("givenName", mutability=names),
            _attribute("familyName", mutability=names),
        ),
        _attribute("displayName"),
        _attribute("active", type="boolean"),
        _complex(
            "emails",
            _attribute("value", mutability=email),
            _attribute("type", mutability="readOnly"),
            _attribute("primary", type="boolean", mutability="readOnly"),
            multi=True,
            mutability=email,
        ),
    )


def _extension_schema(switches: Switches, base: str) -> Document:
    returned = "never" if switches.hide_role else "default"
    flag = _attribute(switches.flag, type="boolean", returned=returned)
    return _schema(switches.extension, "Role", base, flag)


def _schema(urn: str, name: str, base: str, *attributes: Document) -> Document:
    return {
        "schemas": [f"{_CORE}:Schema"],
        "id": urn,
        "name": name,
        "description": name,
        "attributes": list(attributes),
        "meta": _meta("Schema", f"{base}/Schemas/{urn}"),
    }


def _attribute(name: str, **facts: Any) -> Document:
    defaults = {
        "name": name,
        "type": "string",
        "multiValued": False,
        "description": name,
        "required": False,
        "caseExact": False,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
    }
    return defaults | facts


def _complex(name: str, *parts: Document, multi: bool = False, mutability: str = "readWrite") -> Document:
    facts = {"type": "complex", "multiValued": multi, "mutability": mutability, "subAttributes": list(parts)}
    return _attribute(name, **facts)


def _meta(kind: str, location: str) -> Document:
    return {"resourceType": kind, "location": location}


def listed(documents: list[Document]) -> Document:
    """Documents as one ListResponse."""
    return {
        "schemas": [f"{MESSAGES}:ListResponse"],
        "totalResults": len(documents),
        "startIndex": 1,
        "itemsPerPage": len(documents),
        "Resources": documents,
    }
