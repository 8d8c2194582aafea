"""Groups as RFC 7643 section 4.2 describes them, and their members, for any SCIM application.

Membership is an entitlement with the slug ``member`` on the group; it expands, so that members inherit what the group
holds. Members are users or groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from attrs import Factory, evolve, frozen

from connector_core.errors import ProtocolError, RowRejected
from connector_core.model import Cursor, Entitlement, EntitlementKey, Grant, Json, Key, Outcome, Page, Resource
from connector_core.scim import paging
from connector_core.scim.client import ScimClient
from connector_core.scim.filters import find_all
from connector_core.scim.patch import MemberStyle, add_member, remove_member
from connector_core.scim.presence import existing
from connector_core.scim.reading import ScimRow, read_rows, to_id

MEMBER = "member"

_Member = tuple[Resource, "tuple[Grant, ...] | None"]


def _types() -> Mapping[str, str]:
    return {"user": "user", "users": "user", "group": "group", "groups": "group"}


@frozen(kw_only=True)
class ScimGroups:
    """The groups of a SCIM service provider.

    :param count: groups to ask for at once.
    :param members: ``listed`` where the listing shows them; ``each`` asks for each group's by a request of its own, for
        servers that leave them out of listings or whose groups are so large that a page of them is too much. The
        members of a group are then a stream of their own, so that one that fails ends no other's.
    :param types: resource types by what a member's ``type`` or the path of its ``$ref`` says, in lower case.
    """

    client: ScimClient
    count: int
    endpoint: str = "Groups"
    stream: str = "groups"
    type: str = "group"
    members: Literal["listed", "each"] = "listed"
    types: Mapping[str, str] = Factory(_types)

    # -- reading -------------------------------------------------------------------------------------------

    def first(self) -> Cursor:
        """Where the listing begins."""
        return paging.first(self.stream)

    def is_mine(self, cursor: Cursor) -> bool:
        """Whether a cursor is one of this listing, or of the members of a group."""
        return cursor.stream == self.stream or cursor.stream.startswith(f"{self.stream}/")

    def listed(self, cursor: Cursor) -> Page:
        """The page at ``cursor``: groups with their members, or the members of one group."""
        if cursor.stream != self.stream:
            return self._members_of(Key(self.type, str(cursor.position)))
        client = self.client.asking(excludedAttributes="members") if self.members == "each" else self.client
        reading = paging.read(client, self.endpoint, cursor, count=self.count)
        page = self.page(reading.rows)
        children = [Cursor(f"{self.stream}/{group.id}", group.id) for group in page.resources]
        following = (*reading.next, *(children if self.members == "each" else ()))
        return evolve(page, next=following, total=reading.total, span=reading.span)

    def one(self, group: Key) -> Page | None:
        """A group as it is now, with its members; None where it is proven that there is none (P55).

        :raises ProtocolError: the application answered with another group.
        """
        row = existing(self.client, self.endpoint, group.id)
        if row is None:
            return None
        page = evolve(self, members="listed").page([row])
        if any(resource.key != group for resource in page.resources):
            raise ProtocolError(f"asked for {group}, the application answered with another group")
        return page

    def by_name(self, name: str) -> Page:
        """Every group whose displayName is that name; an empty page where there is none."""
        rows = find_all(self.client, self.endpoint, "displayName", name, count=self.count)
        return self.page(rows) if rows else Page()

    def page(self, rows: Sequence[Json]) -> Page:
        """Groups, what can be held on them, and who holds it, from rows of the listing or documents of groups.

        A group with a member that cannot be read is named in ``unknown``: its members stand as they were.
        """
        groups = read_rows(rows, self.type, self._read)
        grants: list[Grant] = []
        unknown: list[Key | EntitlementKey] = []
        for resource, members in groups.read.values():
            if members is None:
                unknown.append(member_of(resource.key))
            else:
                grants.extend(members)
        resources = tuple(resource for resource, _ in groups.read.values())
        return Page(
            resources=resources, entitlements=tuple(map(membership, resources)), grants=tuple(grants),
            unknown=tuple(unknown), rejected=tuple(groups.rejected), warnings=tuple(groups.warnings),
        )  # fmt: skip

    def _members_of(self, group: Key) -> Page:
        """The members of one group. One that is gone meanwhile has none."""
        page = self.one(group)
        if page is None:
            return Page()
        return Page(grants=page.grants, unknown=page.unknown, rejected=page.rejected, warnings=page.warnings)

    def _read(self, row: ScimRow, id: str) -> _Member:
        resource = Resource(type=self.type, id=id, name=row.text("displayName"), status="enabled")
        if self.members == "each":
            return resource, ()
        entitlement = member_of(resource.key)
        try:
            return resource, tuple(Grant(entitlement, member) for member in self._principals(row.get("members")))
        except RowRejected:
            return resource, None

    def _principals(self, members: Any) -> Iterable[Key]:
        """Yield the members. Raises `RowRejected` where one of them cannot be read."""
        entries = members if isinstance(members, list) else [] if members is None else [members]
        for entry in entries:
            if not isinstance(entry, dict):
                raise RowRejected("a member is no object")
            row = ScimRow(entry)
            yield Key(self._type_of(row), to_id(row.get("value")))

    def _type_of(self, member: ScimRow) -> str:
        """By ``type``, else by the path of ``$ref``, else a user; RFC 7643 section 4.2 makes both of them optional."""
        named = member.text("type") or _collection(member.text("$ref"))
        if named is None:
            return self.types["user"]
        if (known := self.types.get(named.lower())) is None:
            raise RowRejected(f"a member is of the unknown type {named!r}")
        return known

    # -- writing: one request each -------------------------------------------------------------------------

    def add(self, grant: Grant, style: MemberStyle = "path") -> Outcome:
        """PATCH a member in."""
        return self._changed(grant.entitlement.resource, add_member(style, grant.principal.id))

    def remove(self, grant: Grant, style: MemberStyle = "path") -> Outcome:
        """PATCH a member out."""
        return self._changed(grant.entitlement.resource, remove_member(style, grant.principal.id))

    def _changed(self, group: Key, body: dict[str, Any]) -> Outcome:
        """Whether it is so, the host reads: what a reply shows of a large group may be a part of it."""
        self.client.patch(self.endpoint, group.id, body)
        return Outcome()


def member_of(group: Key) -> EntitlementKey:
    """Return what a member of a group holds."""
    return EntitlementKey(group.type, group.id, MEMBER)


def membership(group: Resource) -> Entitlement:
    """Return the entitlement of being a member of a group."""
    return Entitlement(resource=group.key, slug=MEMBER, name=f"member of {group.name or group.id}", expands=True)


def _collection(reference: str | None) -> str | None:
    """``Users`` of ``https://api.example.com/scim/v2/Users/42``; the address itself is never followed (P34)."""
    parts = urlsplit(reference or "").path.rstrip("/").split("/")
    return parts[-2] if len(parts) > 1 else None
