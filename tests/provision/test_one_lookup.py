"""One change of access is one look-up, one account, one announcement: also where a person is asked on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from kit.plan import connect, office
from kit.served import ServedWorkspace

from connector_core.errors import GuardRefused
from connector_core.hookspecs import hookimpl
from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.model import Operation
from connector_core.testing import FakeClock

ADA, BOB = "ada@example.com", "bob@example.com"
STAFF = {ADA: "editor", BOB: "viewer"}


@define
class Desk:
    """A connection to an office, and what its plugin heard of operations."""

    served: ServedWorkspace
    connection: Connection
    heard: list[Operation] = field(factory=list)

    @hookimpl
    def operation_finished(self, operation: Operation) -> None:
        self.heard.append(operation)

    def lookups(self) -> int:
        """How often an account was looked up; the one try of a filter in upper case looks up none."""
        return sum("filter" in target and "EXAMPLE.COM" not in target for _, target in self.served.asked)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with office(STAFF) as served:
        here = Desk(served, connection=None)  # type: ignore[arg-type]
        host = Host(tmp_path / "state.db", clock=FakeClock(), plugins={"desk": here})
        here.connection = connect(served, tmp_path, host=host)
        yield here


CHANGES: list[Callable[..., Operation]] = [
    lambda c, **terms: c.create_account("eve@example.com", role="viewer", **terms),
    lambda c, **terms: c.grant("editor", BOB, **terms),
    lambda c, **terms: c.revoke("editor", ADA, **terms),
    lambda c, **terms: c.delete_account(BOB, yes=True, **terms),
]
each_change = pytest.mark.parametrize("change", CHANGES, ids=["create", "grant", "revoke", "delete"])


@each_change
def test_a_dry_run_is_announced_to_no_plugin(desk: Desk, change: Any) -> None:
    """It leaves no operation that a plugin could hear of, and sends nothing."""
    assert change(desk.connection, dry_run=True).state == "planned"
    assert (desk.heard, desk.served.writes(), desk.connection.operations()) == ([], 0, ())


@each_change
def test_a_change_is_one_lookup_and_one_announcement(desk: Desk, change: Any) -> None:
    """Its account is looked up once, what is planned is said once, before the write, and what it came to is heard."""
    planned: list[tuple[Operation, int]] = []
    done = change(desk.connection, on_planned=lambda operation: planned.append((operation, desk.served.writes())))
    assert [(o.kind, o.role, o.state, writes) for o, writes in planned] == [(done.kind, done.role, "planned", 0)]
    assert desk.heard == [done]
    assert desk.lookups() == (2 if done.kind == "create_account" else 1), "a creation is looked for afterwards, too"


def test_nothing_is_planned_where_it_is_so_already_or_refused(desk: Desk) -> None:
    """What is not done costs nothing, and nothing is said of it."""
    planned: list[Operation] = []
    assert desk.connection.grant("viewer", BOB, on_planned=planned.append).outcome == "unchanged"
    protected = connect(desk.served, Path(desk.connection._path).parent, protected=[ADA])
    with pytest.raises(GuardRefused, match="is protected"):
        protected.revoke("editor", ADA, on_planned=planned.append)
    assert planned == []


def test_what_is_planned_is_said_before_the_question(desk: Desk) -> None:
    """So that who confirms a removal knows what it costs."""
    said: list[str] = []
    desk.connection.delete_account(
        BOB, on_planned=lambda operation: said.append(operation.kind), confirm=lambda text: not said.append(text)
    )
    assert said == ["delete_account", f"This removes {BOB} from the application."]


def test_who_comes_back_is_planned_once(desk: Desk) -> None:
    """In the words of the request, whatever steps it takes."""
    desk.served.workspace.replace(evolve(desk.served.workspace.users()[1], active=False))
    planned: list[Operation] = []
    desk.connection.grant("editor", BOB, on_planned=planned.append)
    assert [(o.kind, o.role, o.user, o.reactivated) for o in planned] == [("grant", "editor", BOB, True)]


# -- while a person thinks -------------------------------------------------------------------------------------


def _rename(served: ServedWorkspace) -> None:
    bob = served.workspace.users()[1]
    served.workspace.replace(evolve(bob, login="chief@example.com", email="chief@example.com"))


@pytest.mark.parametrize(
    "meanwhile", [_rename, lambda served: served.workspace.set_role(served.id(BOB), True)], ids=["login", "role"]
)
def test_an_account_that_changes_while_the_question_waits_is_left_alone(desk: Desk, meanwhile: Any) -> None:
    """The answer was given for the account as it was: exit 8, and nothing is written."""

    def confirm(text: str) -> bool:
        meanwhile(desk.served)
        return True

    with pytest.raises(GuardRefused, match="changed while the question waited") as caught:
        desk.connection.delete_account(BOB, confirm=confirm)
    assert (caught.value.exit_code, desk.served.writes()) == (8, 0)
    assert [(o.state, o.guard) for o in desk.heard] == [("refused", "differs")]


def test_the_account_that_was_asked_about_is_the_one_that_is_removed(desk: Desk) -> None:
    """By its id: another one that takes over its login meanwhile is not looked up again."""
    bob = desk.served.id(BOB)

    def confirm(text: str) -> bool:
        desk.served.workspace.remove(bob)
        desk.served.workspace.add(BOB, email=BOB, role=False)
        return True

    done = desk.connection.delete_account(BOB, confirm=confirm)
    assert (done.user_id, done.outcome, desk.served.writes()) == (bob, "unchanged", 0)
    assert (desk.served.truth[BOB], desk.lookups()) == ("viewer", 1)
