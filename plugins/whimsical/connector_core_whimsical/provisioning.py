"""The writes: one request each. Reading first, guarding, journal and verification are the host's."""

from __future__ import annotations

from attrs import evolve

from connector_core.errors import GuardRefused
from connector_core.model import Grant, Key, NewAccount, Outcome
from connector_core.names import lowered
from connector_core.scim import new_user, replace
from connector_core_whimsical import roles
from connector_core_whimsical.client import WhimsicalClient


def create(workspace: WhimsicalClient, account: NewAccount) -> Outcome:
    """POST. Without a role asked for none is sent, and the workspace's default applies (W8)."""
    login = lowered(account.login.strip())  # W15; the primary e-mail is the userName (W16)
    document = new_user(evolve(account, login=login))
    if account.role is not None:
        flag = roles.EDITOR_FLAG
        document["schemas"].append(flag.urn)
        document[flag.urn] = {flag.attribute: roles.is_editor(account.role)}
    return workspace.users.create(document, account)


def delete(workspace: WhimsicalClient, user: Key) -> Outcome:
    """DELETE."""
    return workspace.users.delete(user)


def enable(workspace: WhimsicalClient, user: Key) -> Outcome:
    """PATCH ``active: true``."""
    return workspace.users.set_active(user, True, workspace.settings.patch_style)


def grant(workspace: WhimsicalClient, wanted: Grant) -> Outcome:
    """PATCH ``editor``. A role is absolute: it takes the place of the other one."""
    return _set_editor(workspace, wanted.principal, roles.is_editor(wanted.entitlement))


def revoke(workspace: WhimsicalClient, held: Grant) -> Outcome:
    """Editor falls back to Viewer. A member without any role is no member: revoking Viewer deactivates (W17)."""
    if roles.is_editor(held.entitlement):
        return _set_editor(workspace, held.principal, False)
    if workspace.settings.viewer_revoke == "refuse":
        raise GuardRefused("revoking Viewer removes the member", hint='allow it with viewer_revoke = "deactivate"')
    return workspace.users.set_active(held.principal, False, workspace.settings.patch_style)


def _set_editor(workspace: WhimsicalClient, user: Key, editor: bool) -> Outcome:
    flag = roles.EDITOR_FLAG
    body = replace(workspace.settings.patch_style, flag.attribute, editor, urn=flag.urn)
    after = workspace.users.patched(user, body)
    return Outcome(after=after, verified=after is not None and roles.grant(editor, user) in after.grants)
