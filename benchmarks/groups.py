"""Makes a state with many grants: ``python groups.py STORE [USERS GROUPS MEMBERS ROLES]``.

By default 50,000 people in 200 groups of 5,000 members and 25 roles, which groups hold, too: 1,005,100 grants, and a
million and a half rows of ``access``. They are synced by `Host` from a connector that invents them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from attrs import frozen

from connector_core import Cursor, Entitlement, EntitlementKey, Grant, Host, Key, Manifest, Page, Resource, ResourceType
from connector_core.hookspecs import hookimpl

SIZE = 1000  # rows of a page
HOLDERS, HOLDING_GROUPS = 200, 4  # of a role


@frozen
class GroupsSettings:
    """None."""


@frozen
class Groups:
    """A connector of invented people. Its name is that of the connection which the benchmarks ask about."""

    users: int = 50_000
    groups: int = 200
    members: int = 5_000
    roles: int = 25

    @hookimpl
    def connector_manifest(self) -> Manifest:
        types = (("user", ("user",)), ("group", ("group",)), ("role", ("role",)))
        return Manifest(
            name="whimsical", display_name="Groups", summary="", settings=GroupsSettings,
            resource_types=tuple(ResourceType(type=type, display_name=type, traits=traits) for type, traits in types),
        )  # fmt: skip

    @hookimpl
    def connector_connect(self) -> Groups:
        return self

    @hookimpl
    def sync_page(self, cursor: Cursor | None) -> Page:
        if cursor is None:
            return Page(next=(Cursor("users", 0), Cursor("groups", 0), Cursor("roles", 0)))
        name, _, group = cursor.stream.partition(":")
        at = int(str(cursor.position))
        if name == "users":
            return self._users(at)
        return self._members(int(group), at) if group else self._groups() if name == "groups" else self._roles()

    def _users(self, at: int) -> Page:
        end = min(at + SIZE, self.users)
        people = tuple(
            Resource(
                type="user", id=_user(n).id, login=f"user{n:06}@example.com", email=f"user{n:06}@example.com",
                name=f"User {n}", status="enabled",
            )
            for n in range(at, end)
        )  # fmt: skip
        return Page(resources=people, next=(Cursor("users", end),) if end < self.users else (), total=self.users)

    def _groups(self) -> Page:
        groups = tuple(Resource(type="group", id=f"g{g}", name=f"Group {g}") for g in range(self.groups))
        member = tuple(Entitlement(resource=g.key, slug="member", name=g.name or "", expands=True) for g in groups)
        lists = tuple(Cursor(f"members:{g}", 0) for g in range(self.groups))
        return Page(resources=groups, entitlements=member, next=lists, total=self.groups)

    def _members(self, group: int, at: int) -> Page:
        all_of_them = sorted({(group * 37 + n * (1 + group % 7)) % self.users for n in range(self.members)})
        member = EntitlementKey("group", f"g{group}", "member")
        more = (Cursor(f"members:{group}", at + SIZE),) if at + SIZE < len(all_of_them) else ()
        return Page(grants=tuple(Grant(member, _user(n)) for n in all_of_them[at : at + SIZE]), next=more)

    def _roles(self) -> Page:
        roles = tuple(Resource(type="role", id=f"r{r}", name=f"Role {r}") for r in range(self.roles))
        assigned = tuple(Entitlement(resource=role.key, slug="assigned", name=role.name or "") for role in roles)
        grants = [
            Grant(entitlement.key, principal)
            for r, entitlement in enumerate(assigned)
            for principal in (
                *(_user((r * (HOLDERS + 1) + n) % self.users) for n in range(HOLDERS)),
                *(Key("group", f"g{(r * 8 + n) % self.groups}") for n in range(HOLDING_GROUPS)),
            )
        ]
        return Page(resources=roles, entitlements=assigned, grants=tuple(grants), total=self.roles)


def _user(number: int) -> Key:
    return Key("user", f"{number:08x}-0000-4000-8000-000000000000")


def main() -> None:
    store, *sizes = sys.argv[1:]
    with Host(db=Path(store), plugins={"whimsical": Groups(*map(int, sizes))}, installed=False) as host:
        print(host.connection("whimsical").sync().counts.grant)


if __name__ == "__main__":
    main()
