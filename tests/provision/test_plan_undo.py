"""`plan --undo` takes back what a plan did to an account, and leaves alone what was decided about it since."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.plan import connect, csv_of, office
from kit.served import ServedWorkspace

from connector_core.errors import GuardRefused
from connector_core.host.connection import Connection
from connector_core.provision.plan import Limits, Plan

ADA, BOB, CYD, DAN, EVE = (f"{name}@example.com" for name in ("ada", "bob", "cyd", "dan", "eve"))
STAFF = {ADA: "editor", BOB: "viewer", CYD: "viewer", DAN: "viewer"}
PLENTY = Limits(max_removals=99, max_upgrades=99, max_downgrades=99)


def carried_out(served: ServedWorkspace, folder: Path) -> Connection:
    """Bob is an editor by a plan that created Eve and removed Dan."""
    connection = connect(served, folder)
    people = csv_of(folder, {ADA: "", BOB: "editor", CYD: "", EVE: "viewer"})
    assert connection.apply(connection.plan(people, prune=True), limits=PLENTY, yes=True).count("changed") == 3
    return connection


def replace(served: ServedWorkspace, whom: str, /, **facts: Any) -> None:
    user = served.workspace.find(whom)
    assert user is not None
    served.workspace.replace(evolve(user, **facts))


def made_again(served: ServedWorkspace, login: str) -> None:
    served.workspace.remove(served.id(login))
    served.workspace.add(login, email=login, role=True)


def undone(plan: Plan) -> set[str]:
    return {step.user for step in plan.steps}


def test_without_a_later_decision_all_of_it_is_taken_back(tmp_path: Path) -> None:
    """The creation, the grant and the removal."""
    with office(STAFF) as served:
        connection = carried_out(served, tmp_path)
        undo = connection.plan()
        assert undone(undo) == {BOB, EVE, DAN}
        assert connection.apply(undo, limits=PLENTY, yes=True).status == "complete"
        assert served.truth == STAFF


@pytest.mark.parametrize(
    ("since", "left_alone"),
    [
        (lambda s: s.workspace.remove(s.id(BOB)), BOB),
        (lambda s: replace(s, BOB, active=False), BOB),
        (lambda s: made_again(s, BOB), BOB),
        (lambda s: replace(s, BOB, login="bob.new@example.com", email="bob.new@example.com"), BOB),
        (lambda s: s.workspace.remove(s.id(EVE)), EVE),
        (lambda s: replace(s, EVE, active=False), EVE),
        (lambda s: made_again(s, EVE), EVE),
        (lambda s: replace(s, EVE, login="chief@example.com", email="chief@example.com"), EVE),
        (lambda s: s.workspace.add(DAN, email=DAN, role=True), DAN),
        (lambda s: s.workspace.add(DAN, email=DAN, role=True, active=False), DAN),
    ],
    ids=["left", "disabled", "made again", "renamed", "created and left", "created and disabled",
         "created and made again", "created and renamed", "removed and back", "removed, back and disabled"],
)  # fmt: skip
def test_who_left_or_is_another_account_since_is_left_alone(
    tmp_path: Path, since: Callable[[ServedWorkspace], None], left_alone: str
) -> None:
    """Left, disabled, made again or renamed: none comes back, and none is removed, by a decision of long ago."""
    with office(STAFF) as served:
        connection = carried_out(served, tmp_path)
        since(served)
        before = served.truth
        undo = connection.plan()
        assert undone(undo) == {BOB, EVE, DAN} - {left_alone}
        assert connection.apply(undo, limits=PLENTY, yes=True).status == "complete"
        untouched = set(before) - {BOB, EVE, DAN} | ({left_alone} & set(before))
        assert {name: served.truth.get(name) for name in untouched} == {name: before[name] for name in untouched}
        assert served.truth.get(left_alone) == before.get(left_alone)


def test_who_is_left_alone_is_named_to_the_reviewer(tmp_path: Path) -> None:
    """With the reason."""
    with office(STAFF) as served:
        connection = carried_out(served, tmp_path)
        served.workspace.remove(served.id(BOB))
        made_again(served, EVE)
        served.workspace.add(DAN, email=DAN, role=True)
        warnings = connection.plan().warnings
        assert {line.partition(" ")[0] for line in warnings} == {BOB, EVE, DAN}
        assert any("left since" in line for line in warnings)


def test_who_came_back_and_left_again_stays_away(tmp_path: Path) -> None:
    """Removed by the plan, invited again by an administrator, and removed: the last decision counts."""
    with office(STAFF) as served:
        connection = carried_out(served, tmp_path)
        served.workspace.add(DAN, email=DAN, role=True)
        connection.sync()
        served.workspace.remove(served.id(DAN))
        assert undone(connection.plan()) == {BOB, EVE}


def test_what_this_host_was_asked_for_since_is_left_alone(tmp_path: Path) -> None:
    """A later operation on the account is a later decision, though its result is that of the plan."""
    with office(STAFF) as served:
        connection = carried_out(served, tmp_path)
        connection.grant("viewer", BOB)
        connection.grant("editor", BOB, reason="TICKET-9")
        connection.create_account(DAN, role="viewer")
        connection.delete_account(DAN, yes=True)
        undo = connection.plan()
        assert undone(undo) == {EVE}
        assert sum("operation" in line for line in undo.warnings) == 2


def test_an_undo_is_for_the_accounts_that_it_was_made_for(tmp_path: Path) -> None:
    """Between `plan --undo` and its apply, too: a login that changes hands stops it."""
    with office(STAFF) as served:
        connection = carried_out(served, tmp_path)
        undo = connection.plan()
        replace(served, EVE, login="chief@example.com", email="chief@example.com")
        sent = served.writes()
        with pytest.raises(GuardRefused, match=r"is called chief@example\.com now") as caught:
            connection.apply(undo, limits=PLENTY, yes=True)
        assert (caught.value.exit_code, served.writes()) == (8, sent)


def test_what_was_done_at_another_address_is_taken_back_there_only(tmp_path: Path) -> None:
    """The same e-mail elsewhere is another account: refused as a plan for another address is, exit 8."""
    with office(STAFF) as served, office({CYD: "viewer"}) as other:
        carried_out(served, tmp_path)
        elsewhere = connect(other, tmp_path)
        assert elsewhere.sync().sync.status == "held"
        assert elsewhere.sync(accept_removals=True).sync.status == "complete"
        with pytest.raises(GuardRefused) as caught:
            elsewhere.plan()
        assert (caught.value.guard, other.writes()) == ("other_connection", 0)
        connect(served, tmp_path).sync()
        connect(served, tmp_path).sync(accept_removals=True)
        assert connect(served, tmp_path).plan().address


def test_an_apply_that_found_nothing_to_do_takes_no_plan_away_from_undo(tmp_path: Path) -> None:
    """The plan that is taken back is the last one that changed anything."""
    with office(STAFF) as served:
        connection = carried_out(served, tmp_path)
        settled = connection.plan(csv_of(tmp_path, {ADA: "editor"}))
        assert connection.apply(settled, yes=True).status == "complete" and settled.steps == ()
        assert undone(connection.plan()) == {BOB, EVE, DAN}
