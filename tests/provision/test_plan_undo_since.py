"""`plan --undo` deletes no account that was there before, and leaves alone what was decided about one since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.plan import connect, csv_of, login, office
from kit.provision import reply, scene
from kit.served import ServedWorkspace, served

from connector_core.host.connection import Connection
from connector_core.provision.plan import Limits, Plan
from connector_core.testing import Switches, Workspace

ADA, EVE, ZOE = (f"{name}@example.com" for name in ("ada", "eve", "zoe"))
STAFF = {ADA: "editor", **{login(n): "viewer" for n in range(1, 9)}}
PLENTY = Limits(max_removals=99, max_upgrades=99, max_downgrades=99)


def applied(connection: Connection, folder: Path, people: dict[str, str | None], *, prune: bool = False) -> Plan:
    """Carry out a plan for these people."""
    plan = connection.plan(csv_of(folder, people), prune=prune)
    assert connection.apply(plan, limits=PLENTY, yes=True).status == "complete"
    return plan


def disabled(here: ServedWorkspace, whom: str, *, editor: bool = False) -> None:
    here.workspace.add(whom, email=whom, role=editor, active=False)


def active(here: ServedWorkspace, whom: str) -> bool | None:
    user = here.workspace.find(whom)
    return user and user.active


def test_the_undo_of_an_enabling_disables_the_account_again(tmp_path: Path) -> None:
    """An account that was there, disabled, is disabled again by an undo, and never deleted."""
    with office(STAFF) as here:
        disabled(here, EVE)
        connection = connect(here, tmp_path)
        applied(connection, tmp_path, {EVE: "viewer"})
        assert active(here, EVE) is True
        undo = connection.plan()
        assert [(step.kind, step.effect) for step in undo.steps] == [("revoke", "remove")]
        assert connection.apply(undo, limits=PLENTY, yes=True).status == "complete"
        assert active(here, EVE) is False


def test_what_cannot_be_disabled_again_stays_with_a_warning(tmp_path: Path) -> None:
    """An editor cannot be disabled by a revocation: the undo leaves the account, and says so."""
    with office(STAFF) as here:
        disabled(here, EVE)
        connection = connect(here, tmp_path)
        applied(connection, tmp_path, {EVE: "editor"})
        undo = connection.plan()
        assert undo.steps == ()
        assert "was disabled before" in undo.warnings[0]
        assert active(here, EVE) is True


@pytest.mark.parametrize("synced", [True, False])
def test_an_account_whose_role_was_changed_since_is_not_removed(tmp_path: Path, synced: bool) -> None:
    """Created by the plan and promoted in the application since: the undo of the creation leaves it alone."""
    with office(STAFF) as here:
        connection = connect(here, tmp_path)
        applied(connection, tmp_path, {ZOE: "viewer"})
        here.workspace.set_role(here.id(ZOE), True)
        if synced:  # even where it was changed back
            connection.sync()
            here.workspace.set_role(here.id(ZOE), False)
        undo = connection.plan()
        assert undo.steps == ()
        assert undo.warnings[0].startswith(f"{ZOE} has other roles or another status since")


def test_an_account_whose_status_was_changed_since_is_not_removed(tmp_path: Path) -> None:
    """Created by the plan, disabled and enabled again by hand: another decision followed."""
    with office(STAFF) as here:
        connection = connect(here, tmp_path)
        applied(connection, tmp_path, {ZOE: "viewer"})
        zoe = here.workspace.find(ZOE)
        assert zoe is not None
        for state in (False, True):
            here.workspace.replace(evolve(zoe, active=state))
            connection.sync(accept_removals=True)
        undo = connection.plan()
        assert undo.steps == ()
        assert ZOE in undo.warnings[0]


def test_signing_in_is_no_later_decision(tmp_path: Path) -> None:
    """Created by the plan, invited, and listed once the person signed in: the undo removes the account."""
    with office(STAFF, pending_hidden=True) as here:
        connection = connect(here, tmp_path)
        for name in STAFF:
            here.workspace.log_in(here.id(name))
        applied(connection, tmp_path, {ZOE: "viewer"})
        connection.sync()
        here.workspace.log_in(here.id(ZOE))
        assert [(step.user, step.kind) for step in connection.plan().steps] == [(ZOE, "delete_account")]


def test_a_status_that_could_not_be_read_for_a_while_is_no_later_decision(tmp_path: Path) -> None:
    """Without `active` in the reply to the creation the status is unknown, and known by the next sync."""

    def without_active(
        status: int, headers: list[tuple[str, str]], body: Any
    ) -> tuple[int, list[tuple[str, str]], Any]:
        for user in body.get("Resources", [body]):
            user.pop("active", None)
        return status, headers, body

    with scene(tmp_path, dict.fromkeys(STAFF, True)) as here:
        connection = here.connection
        plan = connection.plan(csv_of(tmp_path, {ZOE: "viewer"}))
        here.faults.on("POST", reply(without_active))
        here.faults.on("GET", reply(without_active))
        assert connection.apply(plan).count("changed") == 1
        assert {row.status for row in connection.access() if row.user == ZOE} == {"unknown"}
        here.faults.rules.clear()
        assert [(step.user, step.kind) for step in connection.plan().steps] == [(ZOE, "delete_account")]


def test_an_undo_brings_none_back_of_whom_the_history_was_pruned(tmp_path: Path) -> None:
    """Removed by the plan, made again, removed again: where prune forgot that, the undo brings no account back."""
    with office(STAFF) as here:
        connection = connect(here, tmp_path)
        applied(connection, tmp_path, {login(n): "" for n in range(1, 9)}, prune=True)
        again = here.workspace.add(ADA, email=ADA, role=True)
        connection.sync()
        here.workspace.remove(again.id)
        for _ in range(3):
            connection.sync()
        assert connection.plan().steps == ()
        connection.prune(keep=2)
        undo = connection.plan()
        assert undo.steps == ()
        assert "pruned" in undo.warnings[0]


@pytest.mark.parametrize("name", ["jsmith", "ev\u200bil@example.com"])
def test_an_undo_creates_no_account_under_what_is_no_address(tmp_path: Path, name: str) -> None:
    """A login that is no e-mail address, or cannot be shown, is left with a warning; no address is invented."""
    with office(STAFF) as here:
        user = here.workspace.add(name, email="j.smith@example.com", role=False)
        connection = connect(here, tmp_path)
        applied(connection, tmp_path, dict.fromkeys(STAFF, ""), prune=True)
        undo = connection.plan()
        assert undo.steps == ()
        who = name if name.isprintable() else user.id
        assert undo.warnings == (f"{who} has a login that is no e-mail address, and is not created again",)


def test_enabled_twins_of_one_login_are_not_pruned(tmp_path: Path) -> None:
    """A step is for the only account of its login: of two, `--prune` removes none and names their ids."""
    with served(Workspace(seed=1, same=str), switches=Switches(default_role=False)) as here:
        here.add({login(n): "viewer" for n in range(1, 13)})
        twins = [
            here.workspace.add(name, email=f"{n}@example.com", role=False).id
            for n, name in enumerate((ADA, "Ada@example.com"))
        ]
        here.workspace.add(ZOE, email=ZOE, role=False)
        connection = connect(here, tmp_path)
        plan = connection.plan(csv_of(tmp_path, {login(n): "" for n in range(1, 13)}), prune=True)
        assert [step.user for step in plan.steps] == [ZOE]
        assert all(id in plan.warnings[0] for id in twins)
        assert connection.apply(plan, yes=True).status == "complete"
