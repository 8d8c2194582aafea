"""Plans are for the people they were made for: no id under another login is touched, and no login under another id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kit.plan import connect, csv_of, office
from kit.served import ServedWorkspace

from connector_core.errors import GuardRefused, IncompleteError, UnknownName, UsageError
from connector_core.host.connection import Connection
from connector_core.provision.apply import ApplyReport, Line
from connector_core.provision.engine import Provisioner
from connector_core.provision.plan import Limits, Plan, Step, read_plan, write_plan
from connector_core.provision.planner import Planner

ADA, BOB, CYD, DAN = (f"{name}@example.com" for name in ("ada", "bob", "cyd", "dan"))
STAFF = {ADA: "editor", BOB: "viewer", CYD: "viewer", DAN: "editor"}
WANTED = {ADA: "viewer", BOB: "editor"}
PLENTY = Limits(max_removals=9, max_upgrades=9, max_downgrades=9)


def rename(served: ServedWorkspace, login: str, new: str, id: str | None = None) -> None:
    """The application calls that account otherwise, its e-mail included."""
    user = served.workspace.get(id or served.id(login))
    assert user is not None
    served.workspace.replace(evolve(user, login=new, email=new))


def swap(served: ServedWorkspace, one: str, other: str) -> None:
    first, second = served.id(one), served.id(other)
    rename(served, one, "between@example.com", first)
    rename(served, other, one, second)
    rename(served, "between@example.com", other, first)


def planned(served: ServedWorkspace, folder: Path, wanted: Any = WANTED, **how: Any) -> Plan:
    plan = connect(served, folder).plan(csv_of(folder, wanted), **how)
    served.asked.clear()
    return plan


def refused(apply: Callable[[], object]) -> GuardRefused:
    with pytest.raises(GuardRefused) as caught:
        apply()
    assert (caught.value.exit_code, caught.value.code) == (8, "differs")
    return caught.value


def ended(report: ApplyReport) -> dict[str, str]:
    return {line.step.user: line.ended for line in report.lines}


# -- between plan and apply ------------------------------------------------------------------------------------


def test_each_step_names_the_id_and_the_login_that_it_was_decided_for(tmp_path: Path) -> None:
    """Neither is there for an account that is to be created; the file holds both, in format 2."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path, {**WANTED, "new@example.com": "viewer"})
        assert {(step.user_id, step.login) for step in plan.steps} == {
            (served.id(ADA), ADA), (served.id(BOB), BOB), (None, None)
        }  # fmt: skip
        write_plan(plan, tmp_path / "plan.json")
        assert (plan.format_version, read_plan(tmp_path / "plan.json")) == (2, plan)


@pytest.mark.parametrize(
    ("wanted", "how"),
    [({ADA: "viewer"}, {}), ({BOB: "editor", CYD: "", DAN: ""}, {"prune": True})],
    ids=["downgrade", "removal"],
)
@pytest.mark.parametrize("new", ["chief@example.com", "ada.new@example.com"])
def test_nothing_is_written_to_an_id_that_bears_another_login(tmp_path: Path, wanted: Any, how: Any, new: str) -> None:
    """Exit 8 names the id and both logins; the id may be another person's, and the others are left alone, too."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path, wanted, **how)
        rename(served, ADA, new)
        id = served.id(new)
        error = refused(lambda: connect(served, tmp_path).apply(plan))
        assert f"the account with the id {id} is called {new} now, planned for {ADA}" in error.message
        assert served.writes() == 0


def test_nothing_is_written_where_two_people_swapped_their_logins(tmp_path: Path) -> None:
    """Both ids are there, both logins are there, and both steps would reach the wrong person."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path)
        swap(served, ADA, BOB)
        message = refused(lambda: connect(served, tmp_path).apply(plan)).message
        assert f"is called {BOB} now, planned for {ADA}" in message
        assert f"is called {ADA} now, planned for {BOB}" in message
        assert served.writes() == 0


def test_a_login_that_another_account_has_now_is_left_alone(tmp_path: Path) -> None:
    """A removal of an account that is gone is not done while another account has its login."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path, {BOB: "", CYD: "", DAN: ""}, prune=True)
        served.workspace.remove(served.id(ADA))
        served.workspace.add(ADA, email=ADA, role=False)
        error = refused(lambda: connect(served, tmp_path).apply(plan))
        assert f"{ADA} is another account now, with the id {served.id(ADA)}" in error.message
        assert served.writes() == 0


def test_the_same_login_in_other_letters_is_no_difference(tmp_path: Path) -> None:
    """Names are compared as everywhere: case and white space are none."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path)
        rename(served, ADA, "Ada@Example.COM")
        report = connect(served, tmp_path).apply(plan)
        assert report.count("changed") == 2


def test_what_is_reviewed_is_what_is_done(tmp_path: Path) -> None:
    """A file that shows one name and would remove the account of another is no plan, whatever its digest says."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path, {BOB: "", CYD: "", DAN: ""}, prune=True)
        path = tmp_path / "plan.json"
        write_plan(plan, path)
        document = json.loads(path.read_text())
        for forged in ({"user": "left@example.com"}, {"login": "left@example.com"}, {"login": None}, {"login": ""}):
            altered = {**document, "steps": [{**document["steps"][0], **forged}], "digest": ""}
            text = json.dumps(altered, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
            path.write_text(json.dumps({**altered, "digest": hashlib.sha256(text.encode()).hexdigest()}))
            with pytest.raises(UsageError, match="shows the login of its user_id"):
                read_plan(path)


# -- between the listing and a step ----------------------------------------------------------------------------


def meddling(
    served: ServedWorkspace, folder: Path, plan: Plan, meddle: Callable[[], None], **terms: Any
) -> ApplyReport:
    """The apply, with something done once its first step is carried out."""
    done: list[Line] = []

    def on_line(line: Line) -> None:
        if not done:
            meddle()
        done.append(line)

    return connect(served, folder).apply(plan, on_line=on_line, yes=True, **terms)


@pytest.mark.parametrize(
    "meddle",
    [
        lambda served: rename(served, BOB, "chief@example.com"),
        lambda served: swap(served, BOB, DAN),
        lambda served: (rename(served, BOB, "old@example.com"), served.workspace.add(BOB, email=BOB, role=False)),
    ],
    ids=["renamed", "swapped", "given away"],
)
def test_a_login_that_changes_hands_on_the_way_stops_that_step_alone(tmp_path: Path, meddle: Any) -> None:
    """The step differs, its account is left as it is, and the others are carried out."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path, {**WANTED, "eve@example.com": "editor"})
        bob = served.id(BOB)
        report = meddling(served, tmp_path, plan, lambda: meddle(served))
        assert (report.status, ended(report)) == (
            "partial", {ADA: "changed", BOB: "differs", "eve@example.com": "changed"}
        )  # fmt: skip
        assert not any(method == "PATCH" and target.endswith(bob) for method, target in served.asked)


def test_what_is_as_wanted_under_another_login_is_not_called_done(tmp_path: Path) -> None:
    """An account that holds the role already, under a name that the plan does not know, is a difference."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path)
        bob = served.id(BOB)

        def meddle() -> None:
            rename(served, BOB, "chief@example.com")
            served.workspace.set_role(bob, True)

        assert ended(meddling(served, tmp_path, plan, meddle))[BOB] == "differs"


def test_a_removal_is_not_called_done_while_another_account_has_the_login(tmp_path: Path) -> None:
    """Removed and made again on the way: the step says that the login is another account now."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path, {ADA: "viewer", CYD: "", DAN: ""}, prune=True)

        def meddle() -> None:
            served.workspace.remove(served.id(BOB))
            served.workspace.add(BOB, email=BOB, role=False)

        report = meddling(served, tmp_path, plan, meddle)
        assert ended(report) == {ADA: "changed", BOB: "differs"}
        assert BOB in served.truth


def test_a_creation_enables_no_account_that_the_plan_did_not_see(tmp_path: Path) -> None:
    """Who was disabled by hand comes back only by a plan that says so."""
    with office(STAFF) as served:
        plan = planned(served, tmp_path, {ADA: "viewer", "eve@example.com": "editor"})
        report = meddling(
            served, tmp_path, plan,
            lambda: served.workspace.add("eve@example.com", email="eve@example.com", role=True, active=False),
        )  # fmt: skip
        assert ended(report) == {ADA: "changed", "eve@example.com": "differs"}
        assert "eve@example.com" not in served.truth


def test_a_disabled_account_comes_back_under_the_id_of_the_plan_alone(tmp_path: Path) -> None:
    """One that was made again meanwhile is another account."""
    with office(STAFF) as served:
        gus = "gus@example.com"
        old = served.workspace.add(gus, email=gus, role=False, active=False)
        plan = planned(served, tmp_path, {ADA: "viewer", gus: ""})
        assert {step.user_id for step in plan.steps} == {served.id(ADA), old.id}

        def meddle() -> None:
            served.workspace.remove(old.id)
            served.workspace.add(gus, email=gus, role=True, active=False)

        assert ended(meddling(served, tmp_path, plan, meddle)) == {ADA: "changed", gus: "differs"}
        assert gus not in served.truth


# -- the file --------------------------------------------------------------------------------------------------


def test_a_plan_of_the_format_before_is_refused_in_words(tmp_path: Path) -> None:
    """It names no logins, so that no one could tell whom it was made for."""
    path = tmp_path / "plan.json"
    path.write_text('{"format_version": 1, "steps": []}')
    with pytest.raises(UsageError, match="by an earlier version") as caught:
        read_plan(path)
    assert "make it again" in str(caught.value.hint)


# -- any of it, in any order -----------------------------------------------------------------------------------

NAMES = [ADA, BOB, CYD, DAN]
NAME = st.sampled_from(NAMES)
MEDDLE = st.one_of(
    st.tuples(st.sampled_from(["rename", "remove", "disable", "make again", "give away"]), NAME),
    st.tuples(st.just("swap"), st.permutations(NAMES).map(lambda names: tuple(names[:2]))),
)
FILE = st.dictionaries(NAME, st.sampled_from(["editor", "viewer", ""]), min_size=1)


def do(served: ServedWorkspace, what: str, whom: Any) -> None:
    """One change in the application, as far as those whom it is about are there."""
    people = whom if isinstance(whom, tuple) else (whom,)
    if any(served.workspace.find(name) is None for name in people):
        return
    if what == "swap":
        swap(served, *people)
    elif what in ("rename", "give away"):
        rename(served, whom, f"x{len(served.workspace.users())}-{whom}")
    if what in ("remove", "make again"):
        served.workspace.remove(served.id(whom))
    if what in ("make again", "give away"):
        served.workspace.add(whom, email=whom, role=True)
    if what == "disable":
        user = served.workspace.find(whom)
        assert user is not None
        served.workspace.replace(evolve(user, active=False))


def carry_out(served: ServedWorkspace, connection: Connection, plan: Plan, changes: list[tuple[str, Any]]) -> list[str]:
    """Apply it, with one of the changes after each step; the writes to accounts that no step of it names."""
    meant = {(step.user_id, step.login) for step in plan.steps}
    wrong: list[str] = []
    coming = iter(changes)

    def watch(method: str, target: str) -> None:
        user = served.workspace.get(target.rpartition("/")[2])
        if method in ("PATCH", "DELETE") and user is not None and (user.id, user.login) not in meant:
            wrong.append(f"{method} of {user.login}")

    served.before = watch
    with suppress(GuardRefused, IncompleteError):
        connection.apply(plan, limits=PLENTY, yes=True, on_line=lambda line: do(served, *next(coming, ("", ADA))))
    served.before = lambda method, target: None
    return wrong


def only_for_its_own(wanted: dict[str, str], meddling: list[tuple[str, Any]]) -> None:
    """Plan, apply, undo, with a change in the application before each: every write is for an account of the plan."""
    with TemporaryDirectory() as folder, office(STAFF) as served:
        connection = connect(served, Path(folder))
        plan = connection.plan(csv_of(Path(folder), wanted), prune=True)
        for change in meddling[:1]:
            do(served, *change)
        assert carry_out(served, connection, plan, meddling[2:]) == []
        left = {(user.id, user.login) for user in served.workspace.users()}
        for change in meddling[1:2]:
            do(served, *change)
        with suppress(UnknownName, IncompleteError):
            undo = connection.plan()
            assert {(step.user_id, step.login) for step in undo.steps if step.user_id} <= left
            assert carry_out(served, connection, undo, meddling[3:]) == []


any_meddling = settings(
    max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)(
    given(wanted=FILE, meddling=st.lists(MEDDLE, min_size=1, max_size=4))(
        example(wanted={ADA: "viewer", BOB: "editor", CYD: "", DAN: ""}, meddling=[("swap", (ADA, BOB))])(
            only_for_its_own
        )
    )
)


def test_a_plan_writes_to_the_accounts_alone_that_it_was_made_for() -> None:
    """Renames, swaps, removals and new accounts between plan, apply and undo: no other account is touched."""
    any_meddling()


def test_the_property_finds_a_plan_that_takes_ids_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the look at the login taken out of the listing and out of the engine, it is red."""
    difference = Planner.difference

    def by_id(self: Planner, step: Step, came_back: Callable[[str], bool], others: Sequence[Step]) -> str | None:
        account = next((a for a in self.accounts if a.id == step.user_id), None)
        return difference(
            self,
            step if account is None else evolve(step, user=account.login, login=account.login),
            came_back,
            others,
        )

    monkeypatch.setattr(Planner, "difference", by_id)
    monkeypatch.setattr(Provisioner, "_require_same_account", lambda self, desired, found: None)
    with pytest.raises(AssertionError, match=r"(PATCH|DELETE) of"):
        any_meddling()
