"""`Connection.apply`: looked over once, each account checked again before its write, past failures, typed results."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from filelock import FileLock
from kit.plan import connect, csv_of, login, office, shown
from kit.served import ServedWorkspace

from connector_core.errors import Busy, GuardRefused, IncompleteError, Interrupted
from connector_core.hookspecs import hookimpl
from connector_core.host.host import Host
from connector_core.model import Operation
from connector_core.provision.apply import Line
from connector_core.provision.plan import Limits, Plan
from connector_core.testing import FakeClock

STAFF = {
    "ada@example.com": "editor",
    "bob@example.com": "viewer",
    "cyd@example.com": "viewer",
    "dan@example.com": "editor",
}
WANTED = {"ada@example.com": "viewer", "bob@example.com": "editor", "eve@example.com": "editor"}


def refused(apply: Callable[[], object]) -> GuardRefused:
    with pytest.raises(GuardRefused) as caught:
        apply()
    assert caught.value.exit_code == 8
    return caught.value


def ended(lines: Any) -> dict[str, str]:
    return {line.step.user.partition("@")[0]: line.ended for line in lines}


# -- what it does ----------------------------------------------------------------------------------------------


def test_the_order_of_writes_is_that_of_the_plan(tmp_path: Path) -> None:
    """Downgrades free seats, then creations and upgrades, removals last: as the server sees them."""
    with office(STAFF) as served:
        connection = connect(served, tmp_path)
        plan = connection.plan(csv_of(tmp_path, {**WANTED, "cyd@example.com": ""}, "p.csv"), prune=True)
        told: list[Line] = []
        report = connection.apply(plan, on_line=told.append, reason="TICKET-7", who="carol", yes=True)
        ids = {served.id(name): name for name in ("ada@example.com", "bob@example.com")}
        sent = [(m, ids.get(t.rpartition("/")[2], t)) for m, t in served.asked if m != "GET"]
        assert sent[:3] == [("PATCH", "ada@example.com"), ("PATCH", "bob@example.com"), ("POST", "/Users")]
        assert [method for method, _ in sent[3:]] == ["DELETE"]
        assert tuple(told) == report.lines
        assert (report.connection, report.digest, report.status, report.error) == (
            "whimsical",
            plan.digest,
            "complete",
            None,
        )
        journal = connection.operations()
        assert {(o.requested_by, o.reason, o.apply) for o in journal} == {("carol", "TICKET-7", report.id)}


def test_repeating_an_apply_changes_nothing(tmp_path: Path) -> None:
    """A plan that was carried out in full is refused, by exit 8 that says when it was; no request leaves."""
    with office(STAFF) as served:
        connection = connect(served, tmp_path)
        plan = connection.plan(csv_of(tmp_path, WANTED), prune=True)
        limits = Limits(max_removals=2)
        report = connection.apply(plan, limits=limits, yes=True)
        assert report.count("changed") == 5
        asked = len(served.asked)
        error = refused(lambda: connection.apply(plan, limits=limits, yes=True))
        assert re.search(rf"carried out in full at 20\S+Z \(apply {report.id}\)", error.message)
        assert (error.guard, len(served.asked)) == ("plan_repeated", asked)


def test_operation_finished_is_announced_for_each_line(tmp_path: Path) -> None:
    """Plugins hear of each operation; one that fails stops nothing."""

    heard: list[Operation] = []

    class FailingListener:
        @hookimpl
        def operation_finished(self, operation: Operation) -> None:
            heard.append(operation)
            raise RuntimeError("a listener that fails")

    host = Host(tmp_path / "state.db", clock=FakeClock(), plugins={"listener": FailingListener()})
    with office(STAFF) as served:
        connection = connect(served, tmp_path, host=host)
        report = connection.apply(connection.plan(csv_of(tmp_path, WANTED)))
        assert report.status == "complete"
        assert heard == [line.operation for line in report.lines]


# -- refused before anything is written ------------------------------------------------------------------------


def planned(served: ServedWorkspace, folder: Path, wanted: Any = WANTED, **how: Any) -> Plan:
    plan = connect(served, folder).plan(csv_of(folder, wanted), **how)
    served.asked.clear()
    return plan


@pytest.mark.parametrize(
    ("meanwhile", "message"),
    [
        (lambda w, find: w.replace(evolve(w.get(find("ada@example.com")), active=False)), "ada@example.com is gone"),
        (lambda w, find: w.remove(find("bob@example.com")), "bob@example.com is gone"),
        (lambda w, find: w.add("EVE@example.com", role=False), "eve@example.com is there already and holds viewer"),
        (
            lambda w, find: (w.remove(find("bob@example.com")), w.add("bob@example.com", role=False)),
            "another account now",
        ),
    ],
)
def test_p60_an_account_that_differs_stops_everything(tmp_path: Path, meanwhile: Any, message: str) -> None:
    """Neither as planned nor as wanted: named, exit 8, and nothing written, not even for the others."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path)
        meanwhile(served.workspace, served.id)
        error = refused(lambda: connect(served, tmp_path).apply(plan))
        assert message in error.message
        assert error.code == "differs"
        assert served.writes() == 0


def test_what_is_already_as_wanted_is_no_difference(tmp_path: Path) -> None:
    """Somebody was quicker: unchanged, and the rest goes on."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path)
        served.workspace.set_role(served.id("ada@example.com"), False)
        served.workspace.add("eve@example.com", role=True)
        report = connect(served, tmp_path).apply(plan)
        assert ended(report.lines) == {"ada": "unchanged", "bob": "changed", "eve": "unchanged"}


def test_a_plan_for_another_address_or_connection_is_refused(tmp_path: Path) -> None:
    """The same e-mail elsewhere is somebody else."""
    with office(STAFF) as served, office(STAFF) as other:
        plan = planned(served, tmp_path)
        elsewhere = connect(other, tmp_path / "elsewhere")
        assert "at the address it had then" in refused(lambda: elsewhere.apply(plan)).message
        another = evolve(plan, identity="0" * 32, connection="another").sealed()
        assert "made for another" in refused(lambda: connect(served, tmp_path).apply(another)).message
        assert served.writes() == other.writes() == 0


def test_an_unmanaged_connection_refuses_before_any_request(tmp_path: Path) -> None:
    """Access is read there, never changed."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path)
        settings = {"base_url": served.url, "token": "t"}
        unmanaged = Host(tmp_path / "state.db").connection("whimsical", settings=settings)
        assert "unmanaged" in refused(lambda: unmanaged.apply(plan)).message
        assert served.asked == []


def test_limits_refuse_before_any_request(tmp_path: Path) -> None:
    """More than ten paid upgrades, unless somebody says how many."""
    with office(12) as served:
        plan = planned(served, tmp_path, {login(number): "editor" for number in range(1, 12)})
        error = refused(lambda: connect(served, tmp_path).apply(plan))
        assert error.hint is not None
        assert "--max-upgrades 11" in error.hint
        assert served.asked == []
        assert connect(served, tmp_path).apply(plan, limits=Limits(max_upgrades=11)).status == "complete"


def test_a_plan_whose_table_lies_is_refused(tmp_path: Path) -> None:
    """A removal that calls itself a change would slip by the reviewer and by the limits, whatever its digest says."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path, {}, prune=True)
        forged = evolve(plan, steps=tuple(evolve(step, effect="change", seats=0) for step in plan.steps)).sealed()
        assert "does not say what it does" in refused(lambda: connect(served, tmp_path).apply(forged)).message
        assert served.writes() == 0


def test_an_incomplete_listing_is_refused(tmp_path: Path) -> None:
    """What the listing hides cannot be compared."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path)
        served.workspace.add("")
        with pytest.raises(IncompleteError):
            connect(served, tmp_path).apply(plan)
        assert served.writes() == 0


def test_a_second_apply_at_the_same_time_is_busy(tmp_path: Path) -> None:
    """Exit 7; the lock is the one that syncs take."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path)
        (lock,) = tmp_path.glob("state.db.*.lock")
        with FileLock(lock, is_singleton=False), pytest.raises(Busy) as caught:
            connect(served, tmp_path).apply(plan)
        assert caught.value.exit_code == 7
        assert served.writes() == 0


def test_a_sync_during_an_apply_is_busy(tmp_path: Path) -> None:
    """The lock is held to the last step."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path)
        busy: list[Line] = []

        def sync(line: Line) -> None:
            with pytest.raises(Busy):
                connect(served, tmp_path).sync()
            busy.append(line)

        connect(served, tmp_path).apply(plan, on_line=sync)
        assert len(busy) == 3


# -- on the way ------------------------------------------------------------------------------------------------


def test_each_account_is_looked_at_again_just_before_its_write(tmp_path: Path) -> None:
    """Changed after the listing: left as it is and named; the others are carried out."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path)

        def meddle(line: Line) -> None:
            if line.step.user == "ada@example.com":
                served.workspace.set_role(served.id("bob@example.com"), None)
                served.workspace.add("eve@example.com", role=False)

        served.app.switches = evolve(served.app.switches, default_role=None)
        report = connect(served, tmp_path).apply(plan, on_line=meddle)
        outcome = ended(report.lines)
        assert (outcome["ada"], outcome["eve"]) == ("changed", "differs")
        assert served.truth["eve@example.com"] == "viewer"
        assert report.status == "partial"


def test_p60_somebody_created_anew_on_the_way_is_not_touched(tmp_path: Path) -> None:
    """The plan's id is gone; whoever has the name now is somebody else."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path)

        def meddle(line: Line) -> None:
            if line.step.user == "ada@example.com":
                served.workspace.remove(served.id("bob@example.com"))
                served.workspace.add("bob@example.com", role=False)

        report = connect(served, tmp_path).apply(plan, on_line=meddle)
        assert ended(report.lines) == {"ada": "changed", "bob": "differs", "eve": "changed"}
        assert served.truth["bob@example.com"] == "viewer"


def test_it_goes_on_past_single_failures(tmp_path: Path) -> None:
    """One that the application declines is reported; the rest is done; again, it is tried again."""
    with office(STAFF) as served:
        plan, connection = planned(served, tmp_path), connect(served, tmp_path)
        bob = served.id("bob@example.com")
        decline = b'{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"not today","status":"400"}'
        served.before = lambda m, t: (400, decline) if m == "PATCH" and t.endswith(bob) else None
        report = connection.apply(plan)
        assert (report.status, ended(report.lines)) == (
            "partial",
            {"ada": "changed", "bob": "failed", "eve": "changed"},
        )
        failed = next(line for line in report.lines if line.ended == "failed")
        assert failed.error is not None
        assert "not today" in failed.error.message
        served.before = lambda m, t: None
        assert ended(connection.apply(plan).lines) == {"ada": "unchanged", "bob": "changed", "eve": "unchanged"}


def test_p72_it_stops_at_refused_credentials(tmp_path: Path) -> None:
    """Every further request would only be refused, too; the report says at which step."""
    with office(STAFF) as served:
        plan, connection = planned(served, tmp_path), connect(served, tmp_path)
        served.before = lambda m, t: (401, b"{}") if m != "GET" else None
        report = connection.apply(plan)
        assert report.status == "stopped"
        assert report.error is not None
        assert report.error.code == "credentials_refused"
        assert ended(report.lines) == {"ada": "failed"}
        assert served.writes() <= 2, "one write, and once more with the token read anew"
        served.before = lambda m, t: None
        assert connection.apply(plan).count("changed") == 3


def test_p75_a_lost_answer_is_looked_after(tmp_path: Path) -> None:
    """The server did it and failed to say so: done, by reading, and nothing is sent twice."""
    with office(STAFF) as served:
        plan, connection = planned(served, tmp_path), connect(served, tmp_path)

        def hang_up(method: str, target: str) -> None:
            if method != "GET":
                raise OSError("no answer leaves")

        served.after = hang_up
        report = connection.apply(plan)
        assert (report.status, report.count("changed")) == ("complete", 3)
        assert served.writes() == 3
        assert served.truth == shown(connection)


def test_an_interrupt_says_how_far_it_came_and_the_same_apply_finishes(tmp_path: Path) -> None:
    """No step twice, none left out, nothing unsettled; undo knows of both halves."""
    with office(8) as served:
        before = served.truth
        host = Host(tmp_path / "state.db", clock=FakeClock())
        plan = planned(served, tmp_path, {login(n): "editor" for n in range(1, 10)})
        done = threading.Event()

        def stop(line: Line) -> None:
            if line.step.user == login(4):
                host.cancel()
                done.set()

        with pytest.raises(Interrupted, match="after 4 of 9 steps") as caught:
            connect(served, tmp_path, host=host).apply(plan, on_line=stop, yes=True)
        assert done.is_set()
        assert (caught.value.report.status, len(caught.value.report.lines)) == ("interrupted", 4)
        connection = connect(served, tmp_path)
        report = connection.apply(plan, yes=True)
        assert (report.count("unchanged"), report.count("changed")) == (4, 5)
        assert served.writes() == 9
        assert served.truth == shown(connection) == {login(n): "editor" for n in range(1, 10)}
        assert {o.state for o in connection.operations()} == {"done"}
        undo = connection.plan(undo=report.id)
        assert len(undo.steps) == 9
        assert connection.apply(undo, yes=True).status == "complete"
        assert served.truth == before


def test_coming_back_interrupted_between_its_two_writes_is_finished(tmp_path: Path) -> None:
    """Enabled with the role of old, and the grant never sent: that is our own work, and no difference."""
    with office(STAFF) as served:
        ada = served.workspace.replace(evolve(served.workspace.users()[0], active=False))
        plan = planned(served, tmp_path, {"ada@example.com": "viewer"})
        host = Host(tmp_path / "state.db", clock=FakeClock())

        def stop(method: str, target: str) -> None:
            if method == "PATCH":
                host.cancel()

        served.after = stop
        with pytest.raises(Interrupted):
            connect(served, tmp_path, host=host).apply(plan)
        served.after = lambda m, t: None
        assert served.truth["ada@example.com"] == "editor"
        connection = connect(served, tmp_path)
        assert connection.apply(plan).status == "complete"
        assert served.truth["ada@example.com"] == "viewer"
        assert served.workspace.get(ada.id) is not None
        assert connection.plan(csv_of(tmp_path, {"ada@example.com": "viewer"})).steps == ()
