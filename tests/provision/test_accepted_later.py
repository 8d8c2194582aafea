"""A write that is answered 202 and carried out later: `unknown` until a read shows it, not `failed` before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.provision import ADA, BOB, EVE, Scene, answer, scene
from kit.provision import reply as altered
from kit.sync import Script, editor, first, user

from connector_core.hookspecs import hookimpl
from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.model import Grant, Key, Operation, Outcome, Page
from connector_core.testing import FakeClock

DAY = 86_400.0
Ask = Callable[[Connection], Operation]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as it:
        yield it


WRITES: dict[str, tuple[str, Ask, Callable[[Scene], Any]]] = {
    "delete": ("DELETE", lambda c: c.delete_account(BOB, yes=True), lambda s: s.workspace.remove(s.id(BOB))),
    "grant": ("PATCH", lambda c: c.grant("editor", BOB), lambda s: s.workspace.set_role(s.id(BOB), True)),
    "revoke": ("PATCH", lambda c: c.revoke("editor", ADA), lambda s: s.workspace.set_role(s.id(ADA), False)),
}


@pytest.mark.parametrize("which", WRITES)
@pytest.mark.parametrize("found_by", ["the same command", "a sync"])
def test_what_was_accepted_is_done_once_it_is_seen(here: Scene, which: str, found_by: str) -> None:
    """Unknown at first, with the code ``accepted``; done by the next command or sync after it happened; sent once."""
    method, ask, happens = WRITES[which]
    here.faults.on(method, answer(202))
    first = ask(here.connection)
    assert (first.state, first.outcome) == ("unknown", None)
    assert first.error is not None
    assert first.error.code == "accepted"
    happens(here)
    if found_by == "a sync":
        here.connection.sync()
    else:
        assert ask(here.connection).outcome == "unchanged"
    settled = here.connection.operations()[-1]
    assert (settled.id, settled.state, settled.outcome, settled.verified) == (first.id, "done", "changed", True)
    assert "had only accepted it" in settled.warnings[0]
    assert here.faults.writes() == {method: 1}


def test_it_stays_unknown_for_a_week_and_fails_then(here: Scene) -> None:
    """Each look that finds it as before leaves it unknown; after seven days it has failed, and says so."""
    here.faults.on("DELETE", answer(202))
    here.connection.delete_account(BOB, yes=True)
    for _ in range(3):
        here.clock.advance(2 * DAY)
        here.connection.sync()
        (row,) = here.connection.operations()
        assert (row.state, row.error and row.error.code) == ("unknown", "accepted")
        assert BOB in here.picture()
    here.clock.advance(2 * DAY)
    here.connection.sync()
    (row,) = here.connection.operations()
    assert row.state == "failed"
    assert row.error is not None
    assert "not carried it out within 7 days" in row.error.message


def test_it_may_be_asked_for_again_meanwhile(here: Scene) -> None:
    """The same command sends it again, and each is judged for itself."""
    here.faults.on("DELETE", answer(202), times=1)
    assert here.connection.delete_account(BOB, yes=True).state == "unknown"
    assert here.connection.delete_account(BOB, yes=True).outcome == "changed"
    here.connection.sync()
    assert here.states() == ["done", "done"]


def test_what_was_accepted_and_is_done_within_seconds_is_done(here: Scene) -> None:
    """A 202 alone makes nothing unknown."""
    here.faults.on("PATCH", altered(lambda status, headers, body: (202, headers, None)))
    operation = here.connection.grant("editor", BOB)
    assert (operation.state, operation.verified) == ("done", True)


def test_a_creation_that_was_accepted_is_an_invitation(here: Scene) -> None:
    """The person may have to sign in first: done, and not created again."""
    here.faults.on("POST", answer(202))
    assert here.connection.create_account(EVE).outcome == "changed"
    assert here.connection.create_account(EVE).outcome == "unchanged"
    assert here.faults.writes() == {"POST": 1}


class OwnHttp(Script):
    """A connector with an HTTP client of its own. What it is to revoke is accepted, and never carried out."""

    @hookimpl
    def find_account(self, login: str) -> Page:
        return Page()

    @hookimpl
    def provision_revoke(self, grant: Grant) -> Outcome:
        return Outcome(pending=True)


def test_what_left_unseen_by_the_host_ages_from_when_it_was_asked_for(tmp_path: Path) -> None:
    """Unknown for seven days, as where the host sends the request itself; failed after that."""
    clock = FakeClock()
    ada = Page(resources=(user("ada"),), grants=(editor("ada"),))
    script = OwnHttp({None: first("users"), ("users", 0): ada}, single={Key("user", "ada"): ada})
    script.types = (evolve(script.types[0], grants="with_resource"), *script.types[1:])
    host = Host(db=tmp_path / "s.db", plugins={"script": script}, installed=False, clock=clock)
    connection = host.connection("script", managed=True)
    connection.sync()
    states = [connection.revoke("editor", Key("user", "ada"), yes=True).state]
    for days in (1, 3, 4):
        clock.advance(days * DAY)
        connection.sync()
        states.append(connection.operations()[-1].state)
    assert states == ["unknown", "unknown", "unknown", "failed"]
