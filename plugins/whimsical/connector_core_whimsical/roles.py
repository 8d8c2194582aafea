"""The two roles of a workspace. A member has exactly one of them (W12); SCIM knows them as one boolean (W7, W8).

Administrators are editors or viewers with a flag that SCIM does not show (W11); guests are no members.
"""

from __future__ import annotations

from attrs import evolve

from connector_core.errors import UnknownName
from connector_core.model import Cursor, Entitlement, EntitlementKey, Grant, Key, Page, Resource
from connector_core.scim import Extension

EDITOR_FLAG = Extension("urn:ietf:params:scim:schemas:extension:whimsical:2.0:User:editor")

EDITOR = EntitlementKey("role", "editor", "assigned")
VIEWER = EntitlementKey("role", "viewer", "assigned")

RESOURCES = (
    Resource(type="role", id="editor", name="Editor", status="enabled"),
    Resource(type="role", id="viewer", name="Viewer", status="enabled"),
)

_EDITOR = Entitlement(
    resource=EDITOR.resource,
    slug=EDITOR.slug,
    name="Editor",
    exclusive="workspace-role",
    paid=True,
    on_revoke="falls_back",
    falls_back_to=VIEWER,
    note="Takes a paid seat at once, charged pro rata; taking it back does not refund it.",  # W25
)
_VIEWER = Entitlement(
    resource=VIEWER.resource,
    slug=VIEWER.slug,
    name="Viewer",
    exclusive="workspace-role",
    on_revoke="removes_account",
    note=(  # W17, W19
        "Revoking it removes the member from the workspace at once. Where user offboarding is switched on, what they "
        "keep under My Files moves to a private team 72 hours later; adding them back before then stops that."
    ),
)
_VIEWER_KEPT = evolve(_VIEWER, on_revoke="refused", note="Revoking it is switched off (viewer_revoke).")


def entitlements(viewer_revoke: str) -> tuple[Entitlement, ...]:
    """Both roles' entitlements, as the setting ``viewer_revoke`` wants them."""
    return (_EDITOR, _VIEWER if viewer_revoke == "deactivate" else _VIEWER_KEPT)


def page(viewer_revoke: str, next: tuple[Cursor, ...]) -> Page:
    """The page that a sync begins with: no request is needed for it."""
    return Page(resources=RESOURCES, entitlements=entitlements(viewer_revoke), next=next)


def one(role: Key) -> Page | None:
    """A role as it always is, or None for one that Whimsical has not."""
    found = tuple(resource for resource in RESOURCES if resource.key == role)
    return Page(resources=found) if found else None


def grant(editor: bool, user: Key) -> Grant:
    """What the boolean says of a user."""
    return Grant(EDITOR if editor else VIEWER, user)


def is_editor(entitlement: EntitlementKey) -> bool:
    """The boolean that stands for an entitlement; `UnknownName` for one that is none of the two."""
    if entitlement not in (EDITOR, VIEWER):
        raise UnknownName(f"Whimsical has no {entitlement}", hint=f"it has {EDITOR} and {VIEWER}")
    return entitlement == EDITOR
