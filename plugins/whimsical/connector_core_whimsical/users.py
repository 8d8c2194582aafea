"""Users, and with them their roles: one row of the listing holds both, so that one pass is enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from attrs import evolve

from connector_core.errors import ProtocolError, RowRejected
from connector_core.model import Cursor, Json, Key, Page, Resource, Status
from connector_core.scim import ScimRow, existing, find_all, paging, read_rows
from connector_core.scim.reading import PersonName, display_name, email, person_name, to_bool
from connector_core_whimsical import roles
from connector_core_whimsical.client import WhimsicalClient

ENDPOINT = "Users"
STREAM = "users"

_STATUS: dict[bool | None, Status] = {True: "enabled", False: "disabled", None: "unknown"}  # P32: missing is unknown


class Member(NamedTuple):
    """A member as listed. ``editor`` is None where the role cannot be read."""

    resource: Resource
    editor: bool | None


def listed(workspace: WhimsicalClient, cursor: Cursor) -> Page:
    """The page of the listing at ``cursor``."""
    reading = paging.read(workspace.scim, ENDPOINT, cursor, count=workspace.settings.page_size)
    return evolve(page(reading.rows), next=reading.next, total=reading.total, span=reading.span)


def one(workspace: WhimsicalClient, user: Key) -> Page | None:
    """A user as they are now; None where it is proven that there is none (P55)."""
    row = existing(workspace.scim, ENDPOINT, user.id)
    if row is None:
        return None
    found = page([row])
    if any(resource.key != user for resource in found.resources):
        raise ProtocolError(f"asked for {user}, the application answered with another user")
    return found


def by_login(workspace: WhimsicalClient, login: str) -> Page:
    """Every user whose userName is ``login`` in any spelling; an empty page where there is none."""
    rows = find_all(workspace.scim, ENDPOINT, "userName", login, count=workspace.settings.page_size)
    return page(rows) if rows else Page()


def page(rows: Sequence[Json]) -> Page:
    """Users and the grants they hold, from rows of ``/Users``.

    A disabled account holds no role, as deactivation removes a member (W17). A role that cannot be read is unknown,
    which is something else than Viewer (P19).
    """
    users = read_rows(rows, "user", read)
    grants, unknown = [], []
    for resource, editor in users.read.values():
        if resource.status == "disabled":
            continue
        if editor is None:
            unknown.append(resource.key)
        else:
            grants.append(roles.grant(editor, resource.key))
    return Page(
        resources=tuple(user.resource for user in users.read.values()),
        grants=tuple(grants),
        unknown=tuple(unknown),
        rejected=tuple(users.rejected),
        warnings=tuple(users.warnings),
    )


def read(row: ScimRow, id: str) -> Member:
    """One row; raises `RowRejected` for one without a userName, which RFC 7643 section 4.1.1 requires."""
    login = row.text("userName")
    if login is None:
        raise RowRejected("userName is missing or not text")
    name = person_name(row)
    resource = Resource(
        type="user",
        id=id,
        name=display_name(row, name),
        login=login,
        email=email(row) or (login if "@" in login else None),
        status=_STATUS[row.flag("active")],
        profile=_profile(row, name),
    )
    return Member(resource, _editor(row))


def _editor(row: ScimRow) -> bool | None:
    try:
        return to_bool(roles.EDITOR_FLAG.of(row), "editor")
    except RowRejected:  # a role that makes no sense is an unknown one; the account itself can be read
        return None


def _profile(row: ScimRow, name: PersonName) -> dict[str, Json]:
    facts: dict[str, Json] = {}
    if name.given:
        facts["given_name"] = name.given
    if name.family:
        facts["family_name"] = name.family
    if external := row.text("externalId"):
        facts["external_id"] = external
    return facts
