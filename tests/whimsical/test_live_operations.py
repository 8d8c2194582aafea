"""Changing access on servers that nobody here wrote: their own view, read without our code, agrees with ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import pytest
from servers.peer import Peer
from servers.scim2 import scim2_server
from servers.scimmy import scimmy_server

from connector_core.errors import GuardRefused
from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.model import Operation
from connector_core.provision.plan import Limits
from connector_core.testing import FakeClock

pytestmark = pytest.mark.live

PEOPLE = 25
ROLES = {True: "editor", False: "viewer", None: None}
EDITOR, VIEWER = "person3@example.com", "person1@example.com"  # what `servers.scim2` makes of them

SERVERS: dict[str, Callable[[], AbstractContextManager[Peer]]] = {
    "scim2, PATCH answers 204": lambda: scim2_server(users=PEOPLE),
    "scimmy, PATCH answers 200": lambda: scimmy_server(express=4, users=PEOPLE),
}


class Live(NamedTuple):
    peer: Peer
    connection: Connection

    def truth(self) -> dict[str, tuple[str | None, str]]:
        """By login, what the server itself says: role and status; who is disabled holds nothing."""
        return {
            user["userName"]: (ROLES[_editor(user)], "enabled") if user["active"] else (None, "disabled")
            for user in self.peer.users()
        }

    def shown(self) -> dict[str | None, tuple[str | None, str]]:
        return {row.user: (row.role, row.status) for row in self.connection.access()}

    def agree(self) -> None:
        """The picture is the server's own view, at once and after a sync, which finds nothing to change."""
        assert self.shown() == self.truth()
        assert self.connection.sync().changes.total == 0
        assert self.shown() == self.truth()
        assert {operation.state for operation in self.connection.operations()} <= {"done", "refused"}


def _editor(user: dict[str, object]) -> bool | None:
    extension = user.get("urn:ietf:params:scim:schemas:extension:whimsical:2.0:User", {})
    assert isinstance(extension, dict)
    return extension.get("editor")


@pytest.fixture(params=SERVERS)
def live(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Live]:
    with SERVERS[request.param]() as peer:
        settings = {"base_url": peer.url, "token": peer.token, "page_size": 7}
        connection = Host(tmp_path / "state.db", clock=FakeClock()).connection(
            "whimsical", settings=settings, managed=True
        )
        connection.sync()
        yield Live(peer, connection)


def changed(operation: Operation) -> Operation:
    assert (operation.state, operation.outcome, operation.verified, operation.error) == ("done", "changed", True, None)
    return operation


def unchanged(operation: Operation) -> None:
    assert (operation.state, operation.outcome, operation.error) == ("done", "unchanged", None)


@pytest.mark.parametrize("role", ["editor", "viewer"])
def test_create_and_delete(live: Live, role: str) -> None:
    """A person comes with a role and goes; each a second time is unchanged, and needs no `yes`."""
    created = changed(live.connection.create_account("New.One@Example.com", given_name="New", role=role))
    assert live.truth()["new.one@example.com"] == (role, "enabled")
    unchanged(live.connection.create_account("new.one@example.com", role=role))
    live.agree()
    with pytest.raises(GuardRefused):
        live.connection.delete_account("new.one@example.com")
    changed(live.connection.delete_account(created.user_id or "", yes=True))
    assert "new.one@example.com" not in live.truth()
    unchanged(live.connection.delete_account("new.one@example.com"))
    live.agree()


def test_create_without_a_role(live: Live) -> None:
    """These servers have no default role: none is shown, and none is made up."""
    changed(live.connection.create_account("new.two@example.com"))
    assert live.truth()["new.two@example.com"] == (None, "enabled")
    live.agree()


def test_grant_and_revoke(live: Live) -> None:
    """A viewer becomes an editor and a viewer again; what was replaced is said."""
    assert live.truth()[VIEWER] == ("viewer", "enabled")
    assert changed(live.connection.grant("editor", VIEWER.upper())).replaced == "viewer"
    assert live.truth()[VIEWER] == ("editor", "enabled")
    unchanged(live.connection.grant("editor", VIEWER))
    live.agree()
    changed(live.connection.revoke("editor", VIEWER))
    assert live.truth()[VIEWER] == ("viewer", "enabled")
    unchanged(live.connection.revoke("editor", VIEWER))
    live.agree()


def test_revoking_viewer_disables_and_granting_brings_back(live: Live) -> None:
    """Here a deactivated person stays listed: disabled, holding nothing, until a role is granted again."""
    changed(live.connection.revoke("viewer", VIEWER, yes=True))
    assert live.truth()[VIEWER] == (None, "disabled")
    unchanged(live.connection.revoke("viewer", VIEWER))
    unchanged(live.connection.delete_account(VIEWER))
    live.agree()
    assert changed(live.connection.grant("editor", VIEWER)).reactivated
    assert live.truth()[VIEWER] == ("editor", "enabled")
    live.agree()


def test_creating_a_disabled_person_brings_them_back(live: Live) -> None:
    """Under the id they had, with the role asked for."""
    before = {user["userName"]: user["id"] for user in live.peer.users()}
    changed(live.connection.revoke("viewer", VIEWER, yes=True))
    back = changed(live.connection.create_account(VIEWER, role="editor"))
    assert back.reactivated
    assert back.user_id == before[VIEWER]
    assert live.truth()[VIEWER] == ("editor", "enabled")
    live.agree()


@pytest.mark.parametrize("style", ["path", "nested", "flat"])
def test_p20_each_patch_style_is_understood(live: Live, style: str, tmp_path: Path) -> None:
    """Both servers accept all three, and the role is the one asked for."""
    settings = {"base_url": live.peer.url, "token": live.peer.token, "patch_style": style}
    connection = Host(tmp_path / "styles.db").connection("whimsical", settings=settings, managed=True)
    changed(connection.grant("viewer", EDITOR))
    assert live.truth()[EDITOR] == ("viewer", "enabled")


def test_a_plan_its_repetition_and_its_undo(live: Live, tmp_path: Path) -> None:
    """Everything at once: as the file says, then nothing to do, then as it was before."""
    before = live.truth()
    people = tmp_path / "people.csv"
    people.write_text(
        f"email,role,given_name,family_name\n{VIEWER},editor,,\n{EDITOR},viewer,,\nnew.one@example.com,editor,New,One\n"
        + "".join(f"person{number}@example.com,,,\n" for number in range(4, PEOPLE - 1))
    )
    plan = live.connection.plan(people, prune=True)
    assert (plan.removals, plan.seats) == (3, 0)
    assert live.connection.apply(plan, limits=Limits(max_removals=3), yes=True).status == "complete"
    truth = live.truth()
    assert (truth[VIEWER], truth[EDITOR]) == (("editor", "enabled"), ("viewer", "enabled"))
    assert truth["new.one@example.com"] == ("editor", "enabled")
    assert len(truth) == PEOPLE - 2
    live.agree()
    assert live.connection.plan(people, prune=True).steps == ()
    with pytest.raises(GuardRefused, match="carried out in full"):
        live.connection.apply(plan, limits=Limits(max_removals=3), yes=True)
    assert live.connection.apply(live.connection.plan(), yes=True).status == "complete"
    assert live.truth() == before
    live.agree()
