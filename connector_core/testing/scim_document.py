"""SCIM's words for a workspace: errors, and users as JSON documents and back.

Written apart from `connector_core.scim` on purpose: a client and a server that share a mistake would agree with each
other in every test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connector_core.testing.switches import Switches
from connector_core.testing.workspace import User

Document = dict[str, Any]

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
MESSAGES = "urn:ietf:params:scim:api:messages:2.0"


class ScimError(Exception):
    """A reply that is an error (RFC 7644 section 3.12). ``headers`` go with it."""

    def __init__(
        self, status: int, detail: str, scim_type: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.scim_type = scim_type
        self.headers = dict(headers or {})

    def document(self) -> Document:
        kind = {"scimType": self.scim_type} if self.scim_type else {}
        return {"schemas": [f"{MESSAGES}:Error"], "status": str(self.status), **kind, "detail": str(self)}


def invalid(detail: str, scim_type: str = "invalidValue") -> ScimError:
    return ScimError(400, detail, scim_type)


# -- a user as a document ----------------------------------------------------------------------------------------


def to_document(user: User, switches: Switches, base: str) -> Document:
    """A user as it is shown; ``base`` is the address above ``/Users``. Unassigned attributes are left out (P26)."""
    extension = {} if user.role is None or switches.hide_role else {switches.flag: user.role}
    document = {
        "schemas": [USER, switches.extension] if extension else [USER],
        "id": user.id,
        "externalId": user.external_id,
        "userName": user.login,
        "name": _name(user),
        "displayName": user.display_name,
        "active": user.active,
        "emails": [{"value": user.email, "type": "work", "primary": True}] if user.email else None,
        switches.extension: extension,
        "meta": {
            "resourceType": "User",
            "created": user.created,
            "lastModified": user.modified,
            "location": f"{base}/Users/{quote(user.id, safe='')}",
            "version": etag(user),
        },
    }
    return {name: value for name, value in document.items() if value not in (None, {})}


def etag(user: User) -> str:
    """The weak entity tag of this version."""
    return f'W/"{user.version}"'


def _name(user: User) -> Document:
    name = {"givenName": user.given_name, "familyName": user.family_name}
    return {part: value for part, value in name.items() if value}


# -- a document as a user ----------------------------------------------------------------------------------------


def from_document(document: Mapping[str, Any], switches: Switches, absent_role: bool | None) -> dict[str, Any]:
    """The fields of `User` that a whole document in canonical spelling sets. Raises `ScimError` 400."""
    login = _login(document, switches)
    name = document.get("name") or {}
    active = _boolean(document, "active")
    role = _boolean(document.get(switches.extension) or {}, switches.flag)
    return {
        "login": login,
        "given_name": _text(name, "givenName"),
        "family_name": _text(name, "familyName"),
        "display_name": _text(document, "displayName"),
        "email": login if switches.email_follows_login else _email(document),
        "external_id": _text(document, "externalId"),
        "active": True if active is None else active,
        "role": absent_role if role is None else role,
    }


def _login(document: Mapping[str, Any], switches: Switches) -> str:
    login = _text(document, "userName")
    if not login:
        raise invalid("userName is required")
    if switches.lowercase_logins == "reject" and login != login.lower():
        raise invalid("userName must be in lower case")
    return login.lower() if switches.lowercase_logins == "fold" else login


def _email(document: Mapping[str, Any]) -> str | None:
    """The primary address, else the first."""
    emails = document.get("emails") or []
    best: Document = max(emails, key=lambda email: email.get("primary") is True, default={})
    return _text(best, "value")


def _text(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"{name} must be a string")
    return value or None


def _boolean(document: Mapping[str, Any], name: str) -> bool | None:
    """Text is refused (P24): a client that sends "False" would otherwise pass here and fail elsewhere."""
    value = document.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"{name} must be true or false")
    return value


# -- parts of a document -----------------------------------------------------------------------------------------


def project(document: Document, wanted: frozenset[str], unwanted: frozenset[str]) -> Document:
    """Apply ``attributes`` and ``excludedAttributes`` (casefolded, RFC 7644 section 3.9); id and schemas stay."""
    if not wanted and not unwanted:
        return document
    projected: Document = {}
    for name, value in document.items():
        if name in ("id", "schemas"):
            projected[name] = value
        elif (part := _project(name.casefold(), value, wanted, unwanted)) not in (None, {}):
            projected[name] = part
    return projected


def _project(path: str, value: Any, wanted: frozenset[str], unwanted: frozenset[str]) -> Any:
    """``value`` at ``path`` as far as it is asked for: itself, some of its sub-attributes, or None."""
    if path in unwanted:
        return None
    if path in wanted or not isinstance(value, dict):
        return value if path in wanted or not wanted else None
    separator = ":" if ":" in path else "."
    parts = {
        name: _project(f"{path}{separator}{name.casefold()}", part, wanted, unwanted) for name, part in value.items()
    }
    return {name: part for name, part in parts.items() if part is not None}
