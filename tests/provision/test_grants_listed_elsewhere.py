"""Granting and revoking where a read of the account does not give all its grants: such a read proves no absence."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from kit.sync import Script, first, group, member, membership, user, viewer

from connector_core.errors import UnknownName, Unreachable
from connector_core.hookspecs import hookimpl
from connector_core.host.connection import Connection
from connector_core.model import Grant, Outcome, Page, Resource

ADA, BO = "ada@example.com", "bo@example.com"


class GroupProvider(Script):
    """Two accounts and a group. Its members are listed by the group; a look-up by login gives the account alone.

    ``outcome``: what a write is answered with.
    """

    def __init__(self, *members: str, gives_all: bool = False) -> None:
        self.members = set(members)
        self.outcome = Outcome(verified=True)
        self.sent: list[Grant] = []
        self.error: Exception | None = None
        lists = {
            None: first("users", "groups"),
            ("users", 0): lambda cursor: Page(resources=(user("ada"), user("bo")), grants=self._held("ada", "bo")),
            ("groups", 0): lambda cursor: Page(
                resources=(group("g"),), entitlements=(membership("g"),),
                grants=() if gives_all else tuple(member(name, "g") for name in sorted(self.members)),
            ),
        }  # fmt: skip
        super().__init__(lists)
        self.gives_all = gives_all
        if gives_all:
            self.types = (evolve(self.types[0], grants="with_resource"), *self.types[1:])

    def _held(self, *names: str) -> tuple[Grant, ...]:
        return tuple(member(name, "g") for name in names if self.gives_all and name in self.members)

    @hookimpl
    def sync_resource(self, resource: object) -> Page | None:
        name = resource.id  # type: ignore[attr-defined]
        return Page(resources=(user(name),), grants=self._held(name)) if name in ("ada", "bo") else None

    @hookimpl
    def find_account(self, login: str) -> Page:
        return Page(resources=tuple(user(name) for name in ("ada", "bo") if login.startswith(name)))

    @hookimpl
    def provision_grant(self, grant: Grant) -> Outcome:
        return self._write(grant, self.members.add)

    @hookimpl
    def provision_revoke(self, grant: Grant) -> Outcome:
        return self._write(grant, self.members.discard)

    def _write(self, grant: Grant, change: object) -> Outcome:
        self.sent.append(grant)
        if self.error is not None:
            raise self.error
        change(grant.principal.id)  # type: ignore[operator]
        return self.outcome


def synced(script: Script, db: Path) -> Connection:
    connection = script.connect(db).host.connection("script", managed=True)  # type: ignore[attr-defined]
    connection.sync()
    return connection  # type: ignore[no-any-return]


def held(connection: Connection) -> set[tuple[str, bool]]:
    """Who is a member in the picture, and whether that is confirmed."""
    return {(row.user_id, row.confirmed) for row in connection.access() if row.role == "g"}


@pytest.mark.parametrize("verified", [True, False])
def test_a_grant_that_no_read_of_the_account_gives_is_done_as_it_was_answered(tmp_path: Path, verified: bool) -> None:
    """Verified where the outcome says so, else done and unconfirmed; the grants of the same account stand."""
    script = GroupProvider("bo")
    script.outcome = Outcome(verified=verified)
    connection = synced(script, tmp_path / "s.db")
    done = connection.grant("g", ADA)
    assert (done.state, done.outcome, done.verified) == ("done", "changed", verified)
    assert held(connection) == {("ada", verified), ("bo", True)}


@pytest.mark.parametrize("verified", [True, False])
def test_a_revocation_is_sent_though_no_read_of_the_account_gives_the_grant(tmp_path: Path, verified: bool) -> None:
    """Nothing is called `unchanged` while it is held; the picture ends that grant and no other."""
    script = GroupProvider("ada", "bo")
    script.outcome = Outcome(verified=verified)
    connection = synced(script, tmp_path / "s.db")
    done = connection.revoke("g", ADA, yes=True)
    assert (done.state, done.outcome, done.verified, len(script.sent)) == ("done", "changed", verified, 1)
    assert (script.members, held(connection)) == ({"bo"}, {("bo", True)})


def test_a_revocation_that_failed_leaves_the_grant_in_the_picture(tmp_path: Path) -> None:
    """Neither the error nor a read of the account proves that the grant has ended."""
    script = GroupProvider("ada")
    connection = synced(script, tmp_path / "s.db")
    script.error = Unreachable("no answer")
    connection.revoke("g", ADA, yes=True)
    connection.sync()
    assert held(connection) == {("ada", True)}


def test_a_look_up_by_login_proves_no_absence(tmp_path: Path) -> None:
    """Of a type whose reads by id give all grants, the account is read by its id before a grant is called not held."""
    script = GroupProvider("ada", gives_all=True)
    connection = synced(script, tmp_path / "s.db")
    assert connection.grant("g", ADA).outcome == "unchanged"
    assert connection.revoke("g", BO, yes=True).outcome == "unchanged"
    assert (script.sent, held(connection)) == ([], {("ada", True)})
    done = connection.revoke("g", ADA, yes=True)
    assert (done.outcome, done.verified, script.members, held(connection)) == ("changed", True, set(), set())


@pytest.mark.parametrize("verified", [True, False])
def test_a_read_that_shows_another_role_of_the_group_denies_the_grant(tmp_path: Path, verified: bool) -> None:
    """Though it does not give all grants: an application that sets another role than the one asked for is found out."""

    class Stubborn(GroupProvider):
        @hookimpl
        def sync_resource(self, resource: Resource) -> Page | None:
            return Page(resources=(user(resource.id),), grants=(viewer(resource.id),))

    script = Stubborn()
    script.outcome = Outcome(after=script.sync_resource(user("ada")), verified=verified)
    connection = synced(script, tmp_path / "s.db")
    operation = connection.grant("editor", ADA)
    assert (operation.state, operation.error and operation.error.code) == ("failed", "not_carried_out")
    assert not [row for row in connection.access() if row.role == "editor"]


@pytest.mark.parametrize(("renamed", "sent"), [(None, 1), ("Others", 0)])
def test_a_group_is_granted_by_its_name_while_the_application_calls_it_so(
    tmp_path: Path, renamed: str | None, sent: int
) -> None:
    """A name that is an earlier one by now names no group: another may bear it."""

    class Renaming(GroupProvider):
        @hookimpl
        def sync_resource(self, resource: Resource) -> Page | None:
            if resource.type == "group":
                return Page(resources=(evolve(group("g"), name=self.called),))
            return super().sync_resource(resource)

    script = Renaming("bo")
    script.called = "Sales"
    script.pages["groups", 0] = Page(resources=(evolve(group("g"), name="Sales"),), entitlements=(membership("g"),))
    connection = synced(script, tmp_path / "s.db")
    if renamed is None:
        assert connection.grant("sales", ADA).outcome == "changed"
    else:
        script.called = renamed
        with pytest.raises(UnknownName, match="which is called Others now"):
            connection.grant("Sales", ADA)
    assert len(script.sent) == sent
