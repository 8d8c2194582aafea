"""Written ahead, killed at the worst moment, settled by reading; and operations beside a sync."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from attrs import evolve
from kit.provision import ADA, BOB, EVE, Scene, after, answer, hang_up, nothing_listed, scene, start, variant

from connector_core.errors import Interrupted, Unreachable
from connector_core.host.host import Host
from connector_core.model import Operation
from connector_core.store.journal import JournalDraft, Requester, Unsettled
from connector_core.testing import FakeClock, Switches
from connector_core_whimsical import plugin

OFF = "off@example.com"
VERBS = {"create_account": "POST", "delete_account": "DELETE", "grant": "PATCH", "revoke": "PATCH", "enable": "PATCH"}
CALLS: dict[str, tuple[str, tuple[str, ...], dict[str, object]]] = {
    "create_account": ("create_account", (EVE,), {"role": "viewer"}),
    "delete_account": ("delete_account", (BOB,), {"yes": True}),
    "grant": ("grant", ("editor", BOB), {}),
    "revoke": ("revoke", ("editor", ADA), {}),
    "enable": ("create_account", (OFF,), {}),
}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path, clock=FakeClock(time.time())) as it:
        it.workspace.add(OFF, role=False, active=False)
        yield it


def holders(here: Scene) -> list[str]:
    return [p.name for p in here.folder.glob("*.holder")]


# -- write ahead -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(CALLS))
def test_the_journal_is_ahead_of_the_request(here: Scene, kind: str) -> None:
    """When it arrives at the server, another process can read that it was sent, by whom, and to where."""
    method, arguments, terms = CALLS[kind]
    seen: list[Any] = []

    def look(app: Any, environ: Any, start: Any) -> Any:
        seen.extend(here.query("SELECT state, request, who, sent IS NOT NULL FROM journal WHERE state <> 'done'"))
        return app(environ, start)

    here.faults.on(VERBS[kind], look)
    getattr(here.connection, method)(*arguments, who="me", **terms)
    ((state, request, who, sent),) = seen
    assert (state, who, sent) == ("sent", "me", 1)
    assert request.startswith(f"{VERBS[kind]} /Users")


def test_a_row_is_pending_before_the_hook_is_asked(tmp_path: Path) -> None:
    """And committed: whatever the hook does, the journal knows of it."""
    seen: list[Any] = []

    def provision_grant(client: Any, grant: Any) -> Any:
        seen.extend(here.query("SELECT state FROM journal"))
        return plugin.provision_grant(client, grant)

    with scene(tmp_path, plugins=variant(provision_grant=provision_grant), connector="odd") as here:
        assert here.connection.grant("editor", BOB).verified
        assert seen == [("pending",)]


# -- killed ----------------------------------------------------------------------------------------------------


def killed(here: Scene, kind: str, *, carried_out: bool) -> None:
    """Begin an operation in a process of its own, and kill that while it waits for the answer."""
    processes: list[subprocess.Popen[str]] = []

    def kill(app: Any, environ: Any, start: Any) -> Any:
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait(10)
        return hang_up(app, environ, start)

    here.faults.on(VERBS[kind], after(kill) if carried_out else kill, times=1)
    method, arguments, terms = CALLS[kind]
    begun = threading.Event()
    here.faults.on("GET", lambda app, environ, start: (begun.wait(10), app(environ, start))[1], times=1)
    with start(here, method, *arguments, **terms) as process:
        processes.append(process)
        begun.set()
        process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert here.states() == ["sent"]
    assert len(holders(here)) == 1


@pytest.mark.parametrize("carried_out", [True, False], ids=["carried-out", "not"])
@pytest.mark.parametrize("kind", list(CALLS))
def test_p75_killed_between_sent_and_the_answer(here: Scene, kind: str, carried_out: bool) -> None:
    """The next sync settles it by reading; the same command again ends as asked for, with no user twice."""
    killed(here, kind, carried_out=carried_out)
    written = here.faults.writes().total()
    here.connection.sync()
    assert here.faults.writes().total() == written
    state = "done" if carried_out else "unknown" if kind == "create_account" else "failed"
    assert here.states() == [state]
    assert holders(here) == []
    assert here.picture() == here.truth()
    method, arguments, terms = CALLS[kind]
    here.clock.advance(120)
    again: Operation = getattr(here.connection, method)(*arguments, **terms)
    assert again.outcome == ("unchanged" if carried_out else "changed")
    assert not set(here.states()) & {"pending", "sent", "unknown"}
    logins = [u.login for u in here.workspace.users()]
    assert len(logins) == len(set(logins))
    assert here.picture() == here.truth()
    assert here.faults.writes().total() == written + (0 if carried_out else 1)


def test_what_a_settled_grant_replaced(here: Scene) -> None:
    """The journal knows how the account was before, and the next command settles as a sync does."""
    killed(here, "grant", carried_out=True)
    assert here.connection.grant("editor", BOB).outcome == "unchanged"
    settled = here.connection.operations()[-1]
    assert (settled.state, settled.outcome, settled.verified, settled.replaced) == ("done", "changed", True, "viewer")


def test_killed_before_anything_was_sent(here: Scene) -> None:
    """Pending, and its holder is dead: it failed, as it was never sent."""
    here.connection.sync()
    here.connection.grant("editor", BOB)
    with closing(connect(here.state)) as db, db:
        db.execute("UPDATE journal SET state = 'pending', sent = NULL, finished = NULL")
    here.connection.sync()
    (operation,) = here.connection.operations()
    assert operation.error is not None
    assert (operation.state, operation.error.message) == ("failed", "the program ended before the request was sent")


def test_files_of_the_dead_are_swept_away(here: Scene) -> None:
    """Also those of who had nothing open; those of the living stay."""
    here.connection.grant("editor", ADA)
    dead = here.folder / "state.db.0123.holder"
    dead.touch()
    here.connection.grant("editor", ADA)
    assert holders(here) == []


# -- not known for a while -------------------------------------------------------------------------------------


def test_a_lost_creation_is_unknown_for_a_minute(here: Scene) -> None:
    """Then it has failed. Settling asks, and never sends."""
    here.connection.sync()
    here.faults.on("POST", hang_up)
    assert here.connection.create_account(EVE).state == "unknown"
    for seconds, state in ((0, "unknown"), (50, "unknown"), (15, "failed")):
        here.clock.advance(seconds)
        here.connection.sync()
        assert here.states() == [state]
    assert here.faults.writes() == {"POST": 1}


@pytest.mark.parametrize("kind", ["create_account", "grant"])
def test_what_was_sent_to_another_address_is_not_settled_at_this_one(here: Scene, kind: str) -> None:
    """It stays unknown, and holds up nothing here; back at its address the next command finds out that it was done."""
    here.connection.sync()

    def lose(app: Any, environ: Any, start: Any) -> Any:
        here.faults.on("GET", hang_up)
        return after(hang_up)(app, environ, start)

    here.faults.on(VERBS[kind], lose, times=1)
    method, arguments, terms = CALLS[kind]
    assert getattr(here.connection, method)(*arguments, **terms).state == "unknown"
    here.faults.rules.clear()
    here.clock.advance(120)
    more = {f"x{number}@example.com": False for number in range(5)}  # of one seed are the same ids
    with scene(here.folder / "other", more, clock=here.clock) as other:
        here.settings["base_url"] = other.url
        here.connection.sync()
        assert here.states() == ["unknown"]
        lines = [line for (line,) in here.query("SELECT message FROM logs")]
        assert any("an address that the connection had then" in line for line in lines)
        assert here.connection.create_account(EVE).outcome == "changed"
    here.settings.clear()
    here.connection.sync()
    assert here.states() == ["done", "done"]
    assert [here.connection.operations()[-1].kind, here.faults.writes().total()] == [kind, 1]


def test_what_died_at_another_address_is_unknown_at_this_one(here: Scene) -> None:
    """What another application shows is no evidence; the operation says what to do."""
    killed(here, "delete_account", carried_out=False)
    with scene(here.folder / "other", clock=here.clock) as other:
        here.settings["base_url"] = other.url
        here.connection.sync()
        (operation,) = here.connection.operations()
        assert operation.error is not None
        assert (operation.state, operation.error.hint) == (
            "unknown",
            "with that address in its settings again, the next command finds out whether it was done",
        )
    here.settings.clear()
    here.connection.sync()
    assert here.states() == ["failed"]


def test_settling_needs_an_answer(here: Scene) -> None:
    """Where the application cannot be read, or answers nonsense, it stays open, and other commands go on."""
    here.connection.sync()
    here.faults.on("PATCH", hang_up, times=1)
    here.connection.grant("editor", BOB)
    for fault in (answer(500), answer(404, b"<html>", "text/html"), answer(200, {"id": "x", "userName": "y"})):
        here.faults.on("GET", fault, path=here.id(BOB))
        assert here.connection.grant("editor", ADA).outcome == "unchanged"
        assert here.states()[0] == "unknown"
        here.faults.rules.clear()
    here.connection.sync()
    assert here.states()[0] == "failed"


def test_a_lost_answer_where_roles_cannot_be_read(tmp_path: Path) -> None:
    """Nobody can tell: it is not called done, and the same command again sends it once more."""
    with scene(tmp_path, switches=Switches(hide_role=True)) as here:
        here.connection.sync()
        here.connection.grant("viewer", BOB)
        here.faults.on("PATCH", hang_up, times=1)
        here.connection.grant("editor", BOB)
        assert here.connection.grant("editor", BOB).outcome == "changed"
        assert here.truth()[BOB] == here.picture()[BOB] == "editor"
        lost = here.connection.operations()[1]
        assert (lost.state, lost.error and lost.error.message) == (
            "failed",
            "the answer was lost, and what they hold cannot be read",
        )
        here.faults.on("PATCH", after(hang_up), times=1)
        here.connection.grant("viewer", BOB)
        assert here.connection.grant("editor", BOB).outcome == "changed"
        assert here.truth()[BOB] == here.picture()[BOB] == "editor"


def test_interrupted_while_the_server_makes_it_wait(here: Scene) -> None:
    """At once, with the operation as far as it came; the next command settles it."""
    here.faults.on("POST", answer(429, Retry_After="100"))
    clock = here.clock = FakeClock(time.time(), on_sleep=lambda _: here.host.cancel())
    with pytest.raises(Interrupted) as caught:
        here.connection.create_account(EVE)
    assert caught.value.report.state == "unknown"
    assert sum(clock.sleeps) >= 100
    here.restart()
    here.faults.rules.clear()
    here.clock = FakeClock(time.time() + 200)
    assert here.connection.create_account(EVE).outcome == "changed"
    assert [u.login for u in here.workspace.users()].count(EVE) == 1


def test_interrupted_while_it_is_verified(here: Scene) -> None:
    """What was sent is settled by the next command."""
    here.faults.on("PATCH", answer(204))
    here.clock = FakeClock(time.time(), on_sleep=lambda _: here.host.cancel())
    with pytest.raises(Interrupted):
        here.connection.grant("editor", BOB)
    here.restart()
    here.clock = FakeClock(time.time())
    here.connection.sync()
    assert here.states() == ["failed"]


# -- several at once -------------------------------------------------------------------------------------------


def test_the_living_are_not_settled_by_others(here: Scene) -> None:
    """Two processes: the slow one's operation is left to it, and nobody creates the same person meanwhile."""
    arrived, go = threading.Event(), threading.Event()

    def slow(app: Any, environ: Any, start: Any) -> Any:
        arrived.set()
        go.wait(20)
        return app(environ, start)

    here.faults.on("POST", slow, times=1)
    with start(here, "create_account", EVE) as process:
        assert arrived.wait(20)
        here.clock.advance(600)
        here.connection.sync()
        assert here.connection.grant("editor", BOB).outcome == "changed"
        with pytest.raises(Exception, match="may still take effect"):
            here.connection.create_account(EVE)
        assert here.states() == ["sent", "done"]
        go.set()
        out, err = process.communicate(timeout=20)
    assert (out.strip(), process.returncode) == ("done", 0), err
    assert here.states() == ["done", "done"]
    assert here.picture() == here.truth()
    assert here.faults.writes()["POST"] == 1


OPERATIONS: dict[str, Callable[[Scene], Operation]] = {
    "grant": lambda here: here.connection.grant("editor", BOB),
    "revoke": lambda here: here.connection.revoke("editor", ADA),
    "delete": lambda here: here.connection.delete_account(BOB, yes=True),
    "deactivate": lambda here: here.connection.revoke("viewer", BOB, yes=True),
    "create": lambda here: here.connection.create_account(EVE, role="editor"),
    "come back": lambda here: here.connection.grant("viewer", OFF),
}


@pytest.mark.parametrize("first", [True, False], ids=["first-sync", "later-sync"])
@pytest.mark.parametrize("name", list(OPERATIONS))
def test_an_operation_during_a_sync_stands(here: Scene, name: str, first: bool) -> None:
    """It goes ahead, and the sync's end, with pages read before it, does not undo it in the picture."""
    for number in range(6):
        here.workspace.add(f"p{number}@example.com", role=bool(number % 2))
    here.settings["page_size"] = 4
    if not first:
        here.connection.sync()
    arrived, go = threading.Event(), threading.Event()

    def hold(app: Any, environ: Any, start: Any) -> Any:
        arrived.set()
        go.wait(20)
        return app(environ, start)

    here.faults.on("GET", hold, path="startIndex=4", times=1)
    with ThreadPoolExecutor(1) as pool:
        sync = pool.submit(lambda: here.connection.sync(workers=1))
        assert arrived.wait(20)
        operation = OPERATIONS[name](here)
        assert (operation.state, operation.outcome, operation.verified) == ("done", "changed", True)
        go.set()
        report = sync.result(30)
    assert report.sync.status in ("complete", "incomplete")
    assert here.picture() == here.truth()
    assert here.connection.sync().changes.total == 0
    assert here.picture() == here.truth()


def test_somebody_is_created_between_the_look_up_and_the_creation(here: Scene) -> None:
    """By another process of ours: what the look-up did not show is not created a second time."""
    nested: list[Operation] = []

    def meanwhile(app: Any, environ: Any, start: Any) -> Any:
        if not nested:
            nested.append(Host(here.state, clock=here.clock).connection("whimsical", **here.terms).create_account(EVE))
        return nothing_listed(app, environ, start)

    here.faults.on("GET", meanwhile, path="filter=", times=1)
    assert here.connection.create_account(EVE).outcome == "unchanged"
    assert nested[0].outcome == "changed"
    assert here.faults.writes() == {"POST": 1}


def test_a_creation_that_rests_on_a_look_up_from_before_another(here: Scene) -> None:
    """It is not begun: what was not there then may be there by now."""
    made = here.connection.create_account(EVE)
    assert made.id is not None
    facts = JournalDraft(kind="create_account", type="user", key=None, login="EVE@example.com", as_of=made.id - 1)
    with here.connection._provisioning(here.connection._connector(), {}) as engine:
        with pytest.raises(Unsettled):
            engine.journal.begin(facts, Requester(who="me"))
        assert engine.journal.begin(evolve(facts, as_of=made.id), Requester(who="me")) > made.id


def test_two_threads_create_the_same_person(here: Scene) -> None:
    """One of them does; the server sees one request."""
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(lambda: here.connection.create_account(EVE, role="viewer")) for _ in range(4)]
        outcomes = [t.result().outcome if t.exception() is None else "refused" for t in tries]
    assert outcomes.count("changed") == 1
    assert set(outcomes) <= {"changed", "unchanged", "refused"}
    assert here.faults.writes() == {"POST": 1}
    assert here.states().count("done") == len([o for o in outcomes if o != "refused"])


def test_an_application_that_is_down(here: Scene) -> None:
    """Nothing is journaled, as nothing could be read; an open operation stays open."""
    here.faults.on("POST", hang_up, times=1)
    here.connection.create_account(EVE)
    here.url = "http://127.0.0.1:9"
    with pytest.raises(Unreachable):
        here.connection.grant("editor", BOB)
    assert here.states() == ["unknown"]
