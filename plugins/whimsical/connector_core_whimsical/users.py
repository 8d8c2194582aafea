"""Users, and with them their roles: one row of the listing holds both, so that one pass is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector_core.errors import RowRejected
from connector_core.model import Grant, Resource
from connector_core.scim import ScimRow, ScimUsers
from connector_core.scim.reading import to_bool
from connector_core_whimsical import roles

if TYPE_CHECKING:
    from connector_core.scim import ScimClient


def reader(scim: ScimClient, page_size: int) -> ScimUsers:
    """The users of a workspace; the login is the e-mail (W1)."""
    return ScimUsers(client=scim, count=page_size, held=held, login_is_email=True)


def held(row: ScimRow, user: Resource) -> tuple[Grant, ...] | None:
    """The role of a user.

    A disabled account holds none, as deactivation removes a member (W17). A role that cannot be read is unknown, which
    is something else than Viewer (P19).
    """
    if user.status == "disabled":
        return ()
    try:
        editor = to_bool(roles.EDITOR_FLAG.of(row), "editor")
    except RowRejected:  # a role that makes no sense is an unknown one; the account itself can be read
        return None
    return None if editor is None else (roles.grant(editor, user.key),)
