"""`Connection.plan`: a fresh and complete picture compared with a file, or with how it was before an apply."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from attrs import evolve
from kit.plan import connect, csv_of, login, office, shown

from connector_core.errors import GuardRefused, IncompleteError, UnknownName, UsageError
from connector_core.provision.plan import Limits, read_plan, write_plan

NO_LIMITS = Limits(max_removals=1_000, max_upgrades=1_000)

STAFF = {
    "ada@example.com": "editor",
    "bob@example.com": "viewer",
    "cyd@example.com": "viewer",
    "dan@example.com": "editor",
}


def test_a_plan_sends_no_write_and_an_apply_leaves_nothing_to_plan(tmp_path: Path) -> None:
    """The file's people have what it says, the others what they had; the next plan is empty."""
    with office(STAFF) as served:
        connection = connect(served, tmp_path)
        people = csv_of(tmp_path, {"ADA@example.com": "viewer", "bob@example.com": "", "cyd@example.com": "role:editor",
                                   "eve@example.com": "editor", "fay@example.com": ""})  # fmt: skip
        plan = connection.plan(people)
        assert served.writes() == 0
        assert (len(plan.steps), plan.unchanged, plan.accounts, plan.seats, plan.unknown_seats) == (4, 1, 4, 1, 1)
        assert connection.apply(plan).status == "complete"
        expected = {**STAFF, "ada@example.com": "viewer", "cyd@example.com": "editor",
                    "eve@example.com": "editor", "fay@example.com": "viewer"}  # fmt: skip
        assert served.truth == shown(connection) == expected
        again = connection.plan(people)
        assert (again.steps, again.unchanged) == ((), 5)


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    """What `apply` is given is what `plan` found."""
    with office(STAFF) as served:
        plan = connect(served, tmp_path).plan(
            csv_of(tmp_path, {"ada@example.com": "viewer", "new@example.com": "editor"})
        )
        write_plan(plan, tmp_path / "plan.json")
        assert read_plan(tmp_path / "plan.json") == plan


def test_an_incomplete_picture_makes_no_plan(tmp_path: Path) -> None:
    """Exit 6: whom the listing hid would be created a second time. The report says why."""
    with office(STAFF) as served:
        served.workspace.add("")
        with pytest.raises(IncompleteError, match="the sync is incomplete") as caught:
            connect(served, tmp_path).plan(csv_of(tmp_path, {"eve@example.com": "editor"}))
        assert caught.value.exit_code == 6
        assert caught.value.report.sync.status == "incomplete"


def test_a_held_sync_makes_no_plan(tmp_path: Path) -> None:
    """Whether these people are really gone, somebody has to look at first."""
    with office(20) as served:
        connection = connect(served, tmp_path)
        connection.sync()
        for number in range(1, 16):
            served.workspace.remove(served.id(login(number)))
        with pytest.raises(IncompleteError, match="the sync is held"):
            connection.plan(csv_of(tmp_path, {}))


def test_a_mistake_in_the_file_makes_no_plan(tmp_path: Path) -> None:
    """A role that the application has not is named with its line."""
    with office(STAFF) as served, pytest.raises(UsageError, match="line 2: there is no role 'admin'"):
        connect(served, tmp_path).plan(csv_of(tmp_path, {"ada@example.com": "admin"}))


def test_p19_an_unreadable_role_gives_an_empty_second_plan(tmp_path: Path) -> None:
    """What was granted and cannot be seen stands, unconfirmed; a repeated apply sends nothing."""
    with office(STAFF, hide_role=True) as served:
        connection = connect(served, tmp_path)
        people = csv_of(tmp_path, {**dict.fromkeys(STAFF, "editor"), "eve@example.com": "viewer"})
        plan = connection.plan(people)
        report = connection.apply(plan)
        assert (report.status, report.count("changed")) == ("complete", 5)
        assert [line.operation.verified for line in report.lines if line.operation].count(False) >= 4
        assert served.truth == {**dict.fromkeys(STAFF, "editor"), "eve@example.com": "viewer"}
        sent = served.writes()
        assert connection.plan(people).steps == ()
        assert connection.apply(evolve(plan, created="2027-01-15T08:00:00.001Z").sealed()).count("unchanged") == 5
        assert served.writes() == sent


def test_w14_an_invited_person_is_not_planned_twice(tmp_path: Path) -> None:
    """Created and not listed until they sign in: neither created nor granted again."""
    with office(STAFF, pending_hidden=True) as served:
        connection = connect(served, tmp_path)
        people = csv_of(tmp_path, {"eve@example.com": "editor", "fay@example.com": ""})
        plan = connection.plan(people)
        assert connection.apply(plan).status == "complete"
        sent = served.writes()
        assert connection.plan(people).steps == ()
        assert connection.apply(evolve(plan, created="2027-01-15T08:00:00.001Z").sealed()).status == "complete"
        assert served.writes() == sent


def test_disabled_people_in_the_file_come_back(tmp_path: Path) -> None:
    """With the role of the file, or where it says none, with the one they had; under the id they had."""
    with office(STAFF) as served:
        for user in served.workspace.users()[:3]:
            served.workspace.replace(evolve(user, active=False))
        connection = connect(served, tmp_path)
        people = csv_of(tmp_path, {"ada@example.com": "viewer", "bob@example.com": "", "cyd@example.com": "editor"})
        plan = connection.plan(people)
        assert {step.effect for step in plan.steps} == {"create"}
        report = connection.apply(plan)
        assert (report.status, report.count("changed")) == ("complete", 3)
        assert all(line.operation is not None and line.operation.reactivated for line in report.lines)
        assert served.truth == {**STAFF, "ada@example.com": "viewer", "cyd@example.com": "editor"}
        assert len(served.workspace) == 4
        assert connection.plan(people).steps == ()


def test_prune_removes_whom_the_file_does_not_name_and_keeps_the_protected(tmp_path: Path) -> None:
    """Only with `prune`; a protected account is kept and shown, and goes where somebody insists."""
    with office(STAFF) as served:
        connection = connect(served, tmp_path, protected=["ADA@example.com"])
        people = csv_of(tmp_path, {"bob@example.com": "viewer", "cyd@example.com": "viewer"})
        assert connection.plan(people).steps == ()
        plan = connection.plan(people, prune=True)
        assert ([step.user for step in plan.steps], [step.user for step in plan.kept]) == (
            ["dan@example.com"],
            ["ada@example.com"],
        )
        assert connection.apply(plan, yes=True).status == "complete"
        assert set(served.truth) == {"ada@example.com", "bob@example.com", "cyd@example.com"}
        again = connection.plan(people, prune=True)
        assert (again.steps, len(again.kept)) == ((), 1)


def test_a_protected_account_goes_only_where_somebody_insists_twice(tmp_path: Path) -> None:
    """`include_protected` plans it, and the apply wants to hear it, too."""
    with office(STAFF) as served:
        connection = connect(served, tmp_path, protected=["ada@example.com"])
        people = csv_of(tmp_path, {"ada@example.com": "viewer"})
        plan = connection.plan(people, include_protected=True)
        with pytest.raises(GuardRefused, match=r"protected accounts: ada@example\.com"):
            connection.apply(plan)
        assert served.writes() == 0
        assert connection.apply(plan, include_protected=True).status == "complete"
        assert served.truth["ada@example.com"] == "viewer"


# -- taking back -----------------------------------------------------------------------------------------------


def test_undo_takes_an_apply_back(tmp_path: Path) -> None:
    """Creations, grants, removals with names and role, and reactivations: the picture is as it was."""
    with office(STAFF) as served:
        served.workspace.add("gus@example.com", role=True, active=False)
        before = served.truth
        connection = connect(served, tmp_path)
        people = csv_of(tmp_path, {"ada@example.com": "viewer", "bob@example.com": "editor", "cyd@example.com": "",
                                   "eve@example.com": "editor", "gus@example.com": "viewer"})  # fmt: skip
        report = connection.apply(connection.plan(people, prune=True), limits=NO_LIMITS, yes=True)
        assert report.status == "complete"
        undo = connection.plan(undo=report.id)
        assert undo == connection.plan() or undo.steps == connection.plan().steps, "the last one, where none is named"
        assert {step.user for step in undo.steps} == {f"{n}@example.com" for n in ("ada", "bob", "dan", "eve", "gus")}
        assert connection.apply(undo, limits=NO_LIMITS, yes=True).status == "complete"
        assert served.truth == shown(connection) == before
        dan = served.workspace.find("dan@example.com")
        assert dan is not None
        assert (dan.given_name, dan.family_name, dan.role) == ("Ada", "Invented", True)
        assert connection.plan(undo=report.id).steps == ()


def test_undo_of_nothing_is_an_error(tmp_path: Path) -> None:
    """There is no apply to take back, or not of that number."""
    with office(STAFF) as served:
        with pytest.raises(UnknownName, match="no plan that was carried out"):
            connect(served, tmp_path).plan()
        with pytest.raises(UnknownName, match="no apply 99"):
            connect(served, tmp_path).plan(undo=99)


def test_undo_leaves_alone_what_somebody_changed_since(tmp_path: Path) -> None:
    """A later decision is not taken back with an earlier one."""
    with office(STAFF) as served:
        connection = connect(served, tmp_path)
        connection.apply(connection.plan(csv_of(tmp_path, {"bob@example.com": "editor", "eve@example.com": ""})))
        served.workspace.set_role(served.id("bob@example.com"), False)
        assert [step.user for step in connection.plan().steps] == ["eve@example.com"]


# -- size ------------------------------------------------------------------------------------------------------


def test_a_plan_of_5000_people_asks_for_pages_only(tmp_path: Path) -> None:
    """Fifty pages of a hundred, overlapping by a row, and no request for a single user."""
    count = 5_000
    with office() as served:
        with served.workspace.changing():
            served.add({login(number): "viewer" for number in range(count)})
        connection = connect(served, tmp_path)
        people = {login(number): "editor" if number % 100 == 0 else "viewer" for number in range(count + 10)}
        plan = connection.plan(csv_of(tmp_path, people))
        assert Counter(step.effect for step in plan.steps) == {"upgrade": 50, "create": 10}
        assert {method for method, _ in served.asked} == {"GET"}
        assert {target.partition("?")[0] for _, target in served.asked} == {"/Users"}
        assert not any("filter" in target for _, target in served.asked)
        assert len(served.asked) <= 52
