"""PATCH (RFC 7644 section 3.5.2) on a user's document, in all the shapes that clients send.

A whole resource, as POST and PUT send it, is read by the same code: it is one path-less ``add`` to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector_core.testing.scim_document import USER, Document, invalid
from connector_core.testing.switches import Switches

_ATTRIBUTES = {
    name.casefold(): name
    for name in ("userName", "externalId", "displayName", "active", "name", "emails", "id", "meta", "schemas")
}
_NAME_PARTS = {name.casefold(): name for name in ("givenName", "familyName")}
_READ_ONLY = ("id", "meta", "schemas")
_SELECTION = re.compile(r"\[[^\]]*\]")  # emails[type eq "work"].value; a user has one address here, so any fits

Path = tuple[str, ...]  # canonical names, one or two


def whole(body: Any, switches: Switches) -> Document:
    """A resource as sent, in canonical spelling and without what this server does not know. Raises `ScimError` 400."""
    document: Document = {}
    _merge(document, body, switches)
    return document


def patched(document: Document, body: Any, switches: Switches) -> Document:
    """The document after all operations of ``body``, or `ScimError` 400 and none of them (P44)."""
    operations = _lookup(body, "operations")
    if not isinstance(operations, list) or not operations:
        raise invalid("Operations must be a list of at least one", "invalidSyntax")
    result = {name: dict(value) if isinstance(value, dict) else value for name, value in document.items()}
    for operation in operations:
        _apply(result, operation, switches)
    return result


def _apply(document: Document, operation: Any, switches: Switches) -> None:
    op, path, value = (_lookup(operation, name) for name in ("op", "path", "value"))
    verb = op.casefold() if isinstance(op, str) else None
    if verb not in ("add", "replace", "remove"):
        raise invalid(f"unknown op {op!r}", "invalidSyntax")
    if path is None and verb == "remove":
        raise invalid("remove needs a path", "noTarget")
    if path is None:
        _merge(document, value, switches)
    elif verb == "remove":
        _remove(document, _target(path, switches))
    else:
        _assign(document, _target(path, switches), value, switches)


def _merge(document: Document, value: Any, switches: Switches) -> None:
    """Path-less: every key is a path of its own, a flattened ``URN:attribute`` among them (W5)."""
    if not isinstance(value, dict):
        raise invalid("the value must be an object", "invalidSyntax")
    for key, part in value.items():
        path = resolve(key, switches)
        if path and path[0] not in _READ_ONLY:
            _assign(document, path, part, switches)


def resolve(path: str, switches: Switches) -> Path | None:
    """The canonical names a path means, in any case (P17); None where this server has no such attribute."""
    urn, _, rest = path.rpartition(":")  # at the last colon: the URN holds "2.0" (P22)
    extension = switches.extension.casefold()
    if path.casefold() == extension:
        return (switches.extension,)
    if urn.casefold() == extension:
        return (switches.extension, switches.flag) if rest.casefold() == switches.flag.casefold() else None
    if urn and urn.casefold() != USER.casefold():
        return None
    name, _, part = _SELECTION.sub("", rest).casefold().partition(".")
    if not part:
        return (_ATTRIBUTES[name],) if name in _ATTRIBUTES else None
    if name == "emails":
        return ("emails", part)
    return ("name", _NAME_PARTS[part]) if name == "name" and part in _NAME_PARTS else None


def _target(path: Any, switches: Switches) -> Path:
    target = resolve(path, switches) if isinstance(path, str) else None
    if target is None:
        raise invalid(f"no attribute {path!r}", "invalidPath")
    if target[0] in _READ_ONLY:
        raise invalid(f"{path} is read-only", "mutability")
    return target


def _assign(document: Document, path: Path, value: Any, switches: Switches) -> None:
    """Set an attribute; sub-attributes that are not named stay as they are (RFC 7644 section 3.5.2.3)."""
    if path[0] == "emails":
        _assign_emails(document, path, value)
    elif len(path) == 2:
        document.setdefault(path[0], {})[path[1]] = value
    elif path[0] in ("name", switches.extension) and value is not None:
        parts = _parts(path[0], value, switches)
        document.setdefault(path[0], {}).update(parts)
    else:
        document[path[0]] = value


def _parts(name: str, value: Any, switches: Switches) -> Document:
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object")
    known = _NAME_PARTS if name == "name" else {switches.flag.casefold(): switches.flag}
    return {known[key.casefold()]: part for key, part in value.items() if key.casefold() in known}


def _assign_emails(document: Document, path: Path, value: Any) -> None:
    """A user has one address here; type, display and the like are accepted and not kept."""
    if path[1:] == ("value",):
        document["emails"] = [{"value": value}]
    elif len(path) == 1:
        emails = [value] if isinstance(value, dict) else value or []
        if not isinstance(emails, list) or not all(isinstance(email, dict) for email in emails):
            raise invalid("emails must be a list of objects")
        document["emails"] = emails


def _remove(document: Document, path: Path) -> None:
    if len(path) == 1 or path == ("emails", "value"):
        document.pop(path[0], None)
    elif path[0] != "emails":
        document.get(path[0], {}).pop(path[1], None)


def _lookup(body: Any, name: str) -> Any:
    """A member of a message, in any case: Entra and Okta differ in theirs."""
    if not isinstance(body, Mapping):
        raise invalid("expected an object", "invalidSyntax")
    return next((value for key, value in body.items() if key.casefold() == name), None)
