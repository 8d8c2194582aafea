"""How much one plan may do: judged at its apply, by its steps and by the accounts that are there then."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from kit.plan import connect, csv_of, login, office
from kit.served import ServedWorkspace

from connector_core.errors import GuardRefused, Interrupted
from connector_core.host import plans
from connector_core.host.host import Host
from connector_core.provision.apply import Line
from connector_core.provision.plan import Limits, Plan
from connector_core.store.applies import Applies
from connector_core.testing import FakeClock


def refused(apply: Callable[[], object], guard: str = "plan_limit") -> GuardRefused:
    with pytest.raises(GuardRefused) as caught:
        apply()
    assert (caught.value.exit_code, caught.value.guard) == (8, guard)
    return caught.value


def staff(served: ServedWorkspace, role: str, count: int) -> dict[str, str | None]:
    """So many people more, of that role; by login."""
    people: dict[str, str | None] = {login(number): role for number in range(1, count + 1)}
    served.add(people)
    return people


def test_a_forged_count_of_accounts_allows_nothing(tmp_path: Path) -> None:
    """The share of removals is of those who are there, whatever the file says and its digest covers."""
    with office(12) as served:
        connection = connect(served, tmp_path)
        plan = connection.plan(csv_of(tmp_path, {login(number): "" for number in range(1, 10)}), prune=True)
        assert plan.removals == 3
        for accounts in (12, 1_000):
            forged = evolve(plan, accounts=accounts).sealed()
            error = refused(lambda forged=forged: connection.apply(forged, yes=True))
            assert error.message == "the plan removes 3 of 12 accounts; nothing was changed"
            assert error.hint == "--max-removals 3 allows it, if that is meant"
        assert served.writes() == 0
        assert connection.apply(plan, limits=Limits(max_removals=3), yes=True).status == "complete"


def test_the_accounts_that_are_there_at_the_apply_count(tmp_path: Path) -> None:
    """Ten of sixty are few; when thirty of them are gone by then, they are too many."""
    with office(60) as served:
        plan = connect(served, tmp_path).plan(csv_of(tmp_path, {login(n): "" for n in range(1, 51)}), prune=True)
        for number in range(1, 31):
            served.workspace.remove(served.id(login(number)))
        connection = connect(served, tmp_path)
        connection.sync()
        connection.sync(accept_removals=True)
        assert "removes 10 of 30 accounts" in refused(lambda: connection.apply(plan)).message
        assert served.writes() == 0


def test_what_an_earlier_apply_did_is_not_counted_again(tmp_path: Path) -> None:
    """A plan within the limits that is interrupted is finished, though fewer accounts are there by then."""
    with office(50) as served:
        host = Host(tmp_path / "state.db", clock=FakeClock())
        plan = connect(served, tmp_path).plan(csv_of(tmp_path, {login(n): "" for n in range(1, 41)}), prune=True)
        done = threading.Event()

        def stop(line: Line) -> None:
            if served.writes() == 8:
                host.cancel()
                done.set()

        with pytest.raises(Interrupted):
            connect(served, tmp_path, host=host).apply(plan, on_line=stop, yes=True)
        assert done.is_set()
        report = connect(served, tmp_path).apply(plan, yes=True)
        assert (report.count("unchanged"), report.count("changed"), len(served.truth)) == (8, 2, 40)


def test_downgrades_have_a_limit(tmp_path: Path) -> None:
    """Ten; `max_downgrades` says how many are meant, before any request."""
    with office() as served:
        people = staff(served, "editor", 11)
        plan = connect(served, tmp_path).plan(csv_of(tmp_path, dict.fromkeys(people, "viewer")))
        assert (plan.downgrades, plan.seats) == (11, -11)
        served.asked.clear()
        error = refused(lambda: connect(served, tmp_path).apply(plan))
        assert (error.message, error.hint) == (
            "the plan downgrades 11 accounts; nothing was changed",
            "--max-downgrades 11 allows it, if that is meant",
        )
        assert served.asked == []
        refused(lambda: connect(served, tmp_path).apply(plan, limits=Limits(max_downgrades=10)))
        assert connect(served, tmp_path).apply(plan, limits=Limits(max_downgrades=11)).count("changed") == 11


def test_a_role_that_cannot_be_read_may_be_lost(tmp_path: Path) -> None:
    """Granting Viewer to people who may be editors counts as a downgrade of each, and as a seat each."""
    with office(hide_role=True) as served:
        people = staff(served, "editor", 11)
        plan = connect(served, tmp_path).plan(csv_of(tmp_path, dict.fromkeys(people, "viewer")))
        assert (plan.downgrades, plan.unknown_seats) == (11, 11)
        for limits in (Limits(max_upgrades=11), Limits(max_downgrades=11)):
            refused(lambda limits=limits: connect(served, tmp_path).apply(plan, limits=limits))
        assert served.writes() == 0


def test_a_seat_on_which_the_application_decides_counts_as_taken(tmp_path: Path) -> None:
    """Eleven people without a role are eleven editors where that is the workspace's default."""
    with office(1) as served:
        wanted: dict[str, str | None] = dict.fromkeys((f"new{n}@example.com" for n in range(10)), "")
        plan = connect(served, tmp_path).plan(csv_of(tmp_path, {**wanted, login(1): "editor"}))
        assert (plan.upgrades, plan.unknown_seats) == (1, 10)
        error = refused(lambda: connect(served, tmp_path).apply(plan))
        assert error.message == "the plan takes 1 paid seat and may take 10 more; nothing was changed"
        assert error.hint == "--max-upgrades 11 allows it, if that is meant"
        assert served.writes() == 0
        assert connect(served, tmp_path).apply(plan, limits=Limits(max_upgrades=11)).status == "complete"


# -- once, and where it was made for ---------------------------------------------------------------------------


def test_a_plan_is_carried_out_once(tmp_path: Path) -> None:
    """What an administrator decided afterwards is not undone by the same file, though it would still fit."""
    with office(5) as served:
        connection = connect(served, tmp_path)
        plan = connection.plan(csv_of(tmp_path, {login(1): "editor", "new@example.com": "viewer"}))
        assert connection.apply(plan).status == "complete"
        served.workspace.set_role(served.id(login(1)), False)
        served.workspace.remove(served.id("new@example.com"))
        served.asked.clear()
        refused(lambda: connection.apply(plan), "plan_repeated")
        assert served.asked == []
        again = connection.plan(csv_of(tmp_path, {login(1): "editor", "new@example.com": "viewer"}))
        assert connection.apply(again).count("changed") == 2, "a new plan is a new decision"


def test_no_step_of_a_plan_is_carried_out_twice(tmp_path: Path) -> None:
    """Nor where the plan was carried out in part only, and its account is as it was before: that was decided since."""
    with office(4) as served:
        connection = connect(served, tmp_path)
        plan = connection.plan(csv_of(tmp_path, {login(1): "editor", login(2): "editor", "new@example.com": "viewer"}))
        declined = served.id(login(2))
        served.before = lambda m, t: (400, b"{}") if m == "PATCH" and t.endswith(declined) else None
        assert connection.apply(plan).status == "partial"
        served.before = lambda m, t: None
        served.workspace.set_role(served.id(login(1)), False)
        sent = served.writes()
        error = refused(lambda: connection.apply(plan), "differs")
        assert re.search(
            rf"{login(1)} was changed by this plan \(operation \d+\), and changed again since", error.message
        )
        served.workspace.set_role(served.id(login(1)), True)
        served.workspace.remove(served.id("new@example.com"))
        assert "new@example.com was changed by this plan" in refused(lambda: connection.apply(plan), "differs").message
        assert served.writes() == sent


def test_a_plan_that_another_process_carries_out_meanwhile_is_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for again under the lock, after the listing."""
    with office(5) as served:
        plan = connect(served, tmp_path).plan(csv_of(tmp_path, {login(1): "editor"}))
        look, looked = plans.require_not_carried_out, []

        def quicker(plan: Plan, applies: Applies) -> None:
            look(plan, applies)
            looked.append(plan)
            if len(looked) == 1:
                connect(served, tmp_path).apply(plan)

        monkeypatch.setattr(plans, "require_not_carried_out", quicker)
        refused(lambda: connect(served, tmp_path).apply(plan), "plan_repeated")
        assert served.writes() == 1


def test_a_plan_for_another_connection_asks_that_one_nothing(tmp_path: Path) -> None:
    """The same name at another address is another workspace: refused before any request."""
    with office(3) as served, office(3) as other:
        plan = connect(served, tmp_path).plan(csv_of(tmp_path, {login(1): "editor"}))
        refused(lambda: connect(other, tmp_path / "other").apply(plan), "other_connection")
        refused(lambda: connect(other, tmp_path).apply(plan), "other_connection")
        assert other.asked == []
