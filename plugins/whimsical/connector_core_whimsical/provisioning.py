"""The writes: one request each. Reading first, guarding, journal and verification are the host's."""

from __future__ import annotations

from typing import Any

from connector_core.errors import GuardRefused
from connector_core.model import Grant, Json, Key, NewAccount, Outcome, Page
from connector_core.scim import replace
from connector_core_whimsical import roles, users
from connector_core_whimsical.client import WhimsicalClient

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"


def create(workspace: WhimsicalClient, account: NewAccount) -> Outcome:
    """POST. Without a role asked for none is sent, and the workspace's default applies (W8)."""
    document = workspace.scim.create(users.ENDPOINT, _document(account))
    after = None if document is None else _after({"userName": account.login, **document})
    if after is None:
        return Outcome(pending=True)
    held = account.role is None or Grant(account.role, after.resources[0].key) in after.grants
    return Outcome(after=after, verified=held and after.resources[0].status == "enabled")


def delete(workspace: WhimsicalClient, user: Key) -> Outcome:
    """DELETE. That they are gone, only a read can show (P55); so a 404 is an error, and for the host to judge (P54)."""
    workspace.scim.delete(users.ENDPOINT, user.id)
    return Outcome()


def enable(workspace: WhimsicalClient, user: Key) -> Outcome:
    """PATCH ``active: true``."""
    return _set_active(workspace, user, True)


def grant(workspace: WhimsicalClient, wanted: Grant) -> Outcome:
    """PATCH ``editor``. A role is absolute: it takes the place of the other one."""
    return _set_editor(workspace, wanted.principal, roles.is_editor(wanted.entitlement))


def revoke(workspace: WhimsicalClient, held: Grant) -> Outcome:
    """Editor falls back to Viewer. A member without any role is no member: revoking Viewer deactivates (W17)."""
    if roles.is_editor(held.entitlement):
        return _set_editor(workspace, held.principal, False)
    if workspace.settings.viewer_revoke == "refuse":
        raise GuardRefused("revoking Viewer removes the member", hint='allow it with viewer_revoke = "deactivate"')
    return _set_active(workspace, held.principal, False)


def _set_editor(workspace: WhimsicalClient, user: Key, editor: bool) -> Outcome:
    flag = roles.EDITOR_FLAG
    after = _patch(workspace, user, flag.attribute, editor, urn=flag.urn)
    return Outcome(after=after, verified=after is not None and roles.grant(editor, user) in after.grants)


def _set_active(workspace: WhimsicalClient, user: Key, active: bool) -> Outcome:
    after = _patch(workspace, user, "active", active)
    wanted = "enabled" if active else "disabled"
    return Outcome(after=after, verified=after is not None and after.resources[0].status == wanted)


def _patch(workspace: WhimsicalClient, user: Key, attribute: str, value: Json, urn: str | None = None) -> Page | None:
    body = replace(workspace.settings.patch_style, attribute, value, urn=urn)
    document = workspace.scim.patch(users.ENDPOINT, user.id, body)
    after = None if document is None else _after(document)
    return after if after is not None and after.resources[0].key == user else None


def _after(document: dict[str, Any]) -> Page | None:
    """What a reply shows of the user, or None where it cannot be read: the host then reads for itself."""
    after = users.page([document])
    return after if after.resources else None


def _document(account: NewAccount) -> dict[str, Any]:
    login = account.login.strip().lower()  # W15; the primary e-mail is the userName (W16)
    document: dict[str, Any] = {
        "schemas": [CORE],
        "userName": login,
        "emails": [{"value": login, "type": "work", "primary": True}],
        "active": True,
    }
    names = {"givenName": account.given_name, "familyName": account.family_name}
    if name := {part: value for part, value in names.items() if value}:
        document["name"] = name
    if account.role is not None:
        flag = roles.EDITOR_FLAG
        document["schemas"].append(flag.urn)
        document[flag.urn] = {flag.attribute: roles.is_editor(account.role)}
    return document
