"""The journal keeps who asked, what was refused and by which guard, and changes of set-up."""

from __future__ import annotations

import os
import pwd
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.cli import Home, workspace
from kit.pages import ROOT, first_cells, section
from kit.provision import ADA, BOB, Scene, answer, scene

from connector_core.errors import GuardRefused
from connector_core.hookspecs import hookimpl
from connector_core.host.audit import Audit, SetupChange, asker
from connector_core.host.connection import Connection
from connector_core.model import Operation
from connector_core.provision.plan import Limits


class Listener:
    """Hears which operations have finished."""

    def __init__(self) -> None:
        self.heard: list[Operation] = []

    @hookimpl
    def operation_finished(self, operation: Operation) -> None:
        self.heard.append(operation)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def here(tmp_path: Path, listener: Listener) -> Iterator[Scene]:
    with scene(tmp_path, settings={"protected": [ADA]}, plugins={"listener": listener}) as it:
        yield it


def audit(here: Scene) -> Audit:
    return Audit(config=here.connection.config, path=here.state, clock=here.clock)


# -- who asked -------------------------------------------------------------------------------------------------


def test_the_requester_is_the_real_user_of_the_process(tmp_path: Path) -> None:
    """``requested_by`` is the user whose process it is, whatever LOGNAME and USER say."""
    home = Home(tmp_path)
    with workspace(2) as served:
        home.connect(served.url, managed="true")
        names = dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "mallory")
        assert home("grant", "whimsical", "editor", "p001@example.com", **names).code == 0
        (row,) = home("operations", "whimsical", "--json").document["operations"]
    assert row["requested_by"] == f"{pwd.getpwuid(os.getuid()).pw_name}@{socket.gethostname()}"


def test_a_user_without_a_name_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container a process may have a user id that no file names."""
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert asker() == f"uid 12345@{socket.gethostname()}"


# -- what was refused ------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Callable[[Connection], Any], str, str | None, str | None]] = {
    "protected": (lambda c: c.delete_account(ADA, yes=True, reason="T-1"), "delete_account", ADA, None),
    "confirmation": (lambda c: c.delete_account(BOB, reason="T-1"), "delete_account", BOB, None),
    "on_revoke": (lambda c: c.revoke("viewer", BOB, reason="T-1"), "revoke", BOB, "viewer"),
    "unmanaged": (lambda c: c.grant("editor", BOB, reason="T-1"), "grant", BOB, "editor"),
}


@pytest.mark.parametrize("guard", REFUSED)
def test_what_a_guard_refuses_is_in_the_journal(here: Scene, listener: Listener, guard: str) -> None:
    """A refused attempt is a row with requester, reason and guard; plugins hear of it once; nothing was sent."""
    ask, kind, user, role = REFUSED[guard]
    if guard == "on_revoke":
        here.settings["viewer_revoke"] = "refuse"
    here.managed = guard != "unmanaged"
    with pytest.raises(GuardRefused) as caught:
        ask(here.connection)
    (row,) = here.connection.operations()
    assert (row.kind, row.user, row.role, row.state, row.guard) == (kind, user, role, "refused", guard)
    assert (row.reason, row.requested_by, row.outcome) == ("T-1", asker(), None)
    assert row.error is not None
    assert (row.error.code, row.error.message) == ("guard_refused", caught.value.message)
    assert caught.value.report == row
    assert listener.heard == [row]
    assert here.faults.writes() == {}
    assert guard != "unmanaged" or here.faults.requests == []


def test_a_dry_run_that_is_refused_leaves_no_row(here: Scene, listener: Listener) -> None:
    """Whoever only asks what would happen has attempted nothing."""
    for managed in (True, False):
        here.managed = managed
        with pytest.raises(GuardRefused):
            here.connection.delete_account(ADA, yes=True, dry_run=True)
    here.managed = True
    here.connection.sync()
    assert (here.connection.operations(), listener.heard) == ((), [])


def test_a_refused_plan_is_in_the_journal(here: Scene, tmp_path: Path, listener: Listener) -> None:
    """A plan over a limit is one row of the kind ``apply``, none of its steps."""
    people = tmp_path / "people.csv"
    people.write_text(f"email,role\n{ADA},editor\n")
    here.settings = {}
    plan = here.connection.plan(people, prune=True)
    with pytest.raises(GuardRefused):
        here.connection.apply(plan, limits=Limits(max_removals=0), reason="T-2")
    (row,) = here.connection.operations()
    assert (row.kind, row.state, row.guard, row.reason) == ("apply", "refused", "plan_limit", "T-2")
    assert listener.heard == [row]


def test_a_plan_that_was_not_confirmed_is_in_the_journal(tmp_path: Path) -> None:
    """On the command line, too; and a plan over a limit is refused without a question."""
    home = Home(tmp_path)
    people = tmp_path / "people.csv"
    people.write_text("email,role\np001@example.com,editor\n")
    with workspace(1) as served:
        home.connect(served.url, managed="true")
        assert home("plan", "whimsical", str(people), "-o", "plan.json").code == 0
        refused = home("apply", "plan.json", "--reason", "T-4")
        assert (refused.code, refused.err.splitlines()[-2:]) == (
            8, ["error: the plan was not confirmed; nothing was changed", "hint: --yes confirms it"],
        )  # fmt: skip
        assert home("apply", "plan.json", "--max-upgrades", "0").code == 8
        assert home("apply", "plan.json", "--yes").code == 0
    rows = home("operations", "whimsical", "--json").document["operations"]
    assert [(r["kind"], r["state"], r["guard"], r["reason"]) for r in rows] == [
        ("grant", "done", None, None), ("apply", "refused", "plan_limit", None),
        ("apply", "refused", "confirmation", "T-4"),
    ]  # fmt: skip


def test_a_refusal_that_cannot_be_kept_is_a_refusal_all_the_same(here: Scene) -> None:
    """Where the journal cannot be written, the guard still refuses, and says so."""
    here.managed = False
    here.state.write_bytes(b"no state file, and long enough to look like something else" * 20)
    with pytest.raises(GuardRefused) as caught:
        here.connection.grant("editor", BOB)
    assert "could not be written into the journal" in (caught.value.hint or "")


def test_a_refused_attempt_does_not_hide_what_was_done_before(here: Scene) -> None:
    """A refused row is no open operation, and no operation that was carried out."""
    here.settings = {}
    here.connection.grant("editor", BOB)
    with pytest.raises(GuardRefused):
        here.connection.delete_account(BOB)
    assert here.connection.grant("editor", BOB).outcome == "unchanged"
    assert here.states() == ["done", "refused", "done"]


def test_the_command_line_shows_what_was_refused(tmp_path: Path) -> None:
    """``operations`` names the guard; the answer with --json has the operation beside the error."""
    home = Home(tmp_path)
    with workspace(2) as served:
        home.connect(served.url, managed="true", protected="p001@example.com")
        done = home("delete-user", "whimsical", "p001@example.com", "--yes", "--json")
        assert (done.code, done.document["error"]["code"]) == (8, "guard_refused")
        assert (done.document["operation"]["state"], done.document["operation"]["guard"]) == ("refused", "protected")
        home.connect(served.url, managed="false")
        done = home("grant", "whimsical", "editor", "p002@example.com")
        assert (done.code, done.out) == (8, "")
        assert home("apply", "missing.json").code == 2
    rows = home("operations", "whimsical").out.splitlines()[1:]
    assert ["(guard: unmanaged)" in rows[0], "(guard: protected)" in rows[1], len(rows)] == [True, True, 2]
    assert all("refused" in row for row in rows)


def test_each_operation_of_the_journal_is_announced_once(here: Scene, listener: Listener) -> None:
    """Also the steps of one that comes back, and no second time where an unknown one is settled."""
    here.workspace.add("off@example.com", role=False, active=False)
    here.connection.create_account("off@example.com", role="editor")
    here.faults.on("DELETE", answer(202), times=1)
    here.settings = {}
    here.connection.delete_account(BOB, yes=True)
    here.workspace.remove(here.id(BOB))
    here.connection.sync()
    here.connection.grant("viewer", ADA)
    journal = [operation.id for operation in reversed(here.connection.operations())]
    assert sorted(operation.id or 0 for operation in listener.heard) == journal
    assert {o.kind for o in listener.heard} >= {"enable_account", "create_account", "delete_account", "grant"}


# -- changes of set-up -----------------------------------------------------------------------------------------


def test_changes_of_set_up_are_rows_of_their_own(here: Scene) -> None:
    """Each names the setting and its values; they are in ``operations``, in the view, and open nothing."""
    changes = (SetupChange(setting="managed", before="no", after="yes"), SetupChange(setting="token"))
    rows = audit(here).setup(changes, reason="T-3")
    assert here.connection.operations() == tuple(reversed(rows))
    assert [(r.kind, r.state, r.setting, r.value_before, r.value_after) for r in rows] == [
        ("setup", "done", "managed", "no", "yes"), ("setup", "done", "token", None, None),
    ]  # fmt: skip
    assert {(r.requested_by, r.reason) for r in rows} == {(asker(), "T-3")}
    seen = here.query("SELECT setting, value_before, value_after, guard FROM operations ORDER BY id")
    assert seen == [("managed", "no", "yes", None), ("token", None, None, None)]
    assert here.connection.sync().sync.status == "complete"


def test_set_up_by_another_person_names_them(here: Scene) -> None:
    """A console says who is signed in."""
    (row,) = audit(here).setup([SetupChange(setting="owner", after="it@example.com")], who="carol@console")
    assert row.requested_by == "carol@console"


# -- the page --------------------------------------------------------------------------------------------------


def test_every_guard_is_explained() -> None:
    """Each name that the journal may hold in ``guard`` is in the table of docs/changing-access.md, and no other."""
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "connector_core").rglob("*.py"))
    named = set(re.findall(r'\bguard(?:: str)? ?= ?"(\w+)"', sources))
    cells = first_cells(section("docs/changing-access.md", "Who asked, and what was refused"))
    assert {name for cell in cells for name in re.findall(r"\w+", cell)} == named
