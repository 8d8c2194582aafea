"""Some hundreds of random fault schedules; `tox run -e chaos` plays thousands. And that the oracle would notice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from chaos import schedule as schedules
from chaos.operations import DEEDS, perform
from chaos.oracle import Doubt, SyncOutcome, judge
from chaos.running import megabytes, run_all
from chaos.schedule import OPERATIONS, SYNC, ChaosSchedule, Struck, candidates, play
from chaos.stage import Ledger, Picture, Stage, State
from chaos.syncing import recover, sync

from connector_core.provision.operation_log import OperationResult
from connector_core.store.removals import Removals
from connector_core.testing import Workspace, Write
from connector_core.testing.faults import CATALOGUE, fault

SCHEDULES = 600
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("part", range(4))
def test_random_schedules_of_faults(part: int) -> None:
    """Whatever comes together: what is shown is true or marked as not, and nobody is lost; bounded in memory."""
    used = megabytes()  # by this process, for other tests
    summary = run_all(range(1 + part, 1 + SCHEDULES, 4))
    assert summary.failures == []
    assert summary.schedules == SCHEDULES / 4
    assert {"complete", "failed", "incomplete"} <= set(summary.outcomes)
    assert summary.fired.total() > SCHEDULES / 4
    assert summary.memory - used < 400


def test_schedules_cover_the_catalogue() -> None:
    """Every fault that a sync or an operation can meet is drawn sooner or later, and schedules follow from the seed."""
    met = set(candidates(SYNC)).union(*(candidates(deed.kinds) for deed in OPERATIONS.values()))
    assert met == {name for name, about in CATALOGUE.items() if not about.provoked}
    assert {struck.name for seed in range(5000) for struck in ChaosSchedule.of(seed).faults} == met
    assert [ChaosSchedule.of(seed) for seed in range(50)] == [ChaosSchedule.of(seed) for seed in range(50)]


def test_a_schedule_plays_the_same_again(stage: Stage) -> None:
    """With one worker, a seed gives the same outcome and strikes the same faults as often."""
    chosen = [
        s for s in map(ChaosSchedule.of, range(400)) if s.workers == 1 and not any("drips" in f.name for f in s.faults)
    ]
    for schedule in chosen[:12]:
        first, second = play(stage, schedule), play(stage, schedule)
        assert (first.outcome, first.fired) == (second.outcome, second.fired)


def test_the_program_prints_its_figures() -> None:
    """Schedules, faults by kind, outcomes, worst time and memory, and it exits 0; two processes share the work."""
    done = subprocess.run(
        [sys.executable, "-m", "chaos", "--schedules", "8", "--seed", "3", "--processes", "2"],
        env={**os.environ, "PYTHONPATH": str(TESTS)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for figure in (
        "8 schedules, 0 failed",
        "outcomes: ",
        " faults fired, of ",
        "worst time: ",
        "worst memory of a process",
    ):
        assert figure in done.stdout


# -- the oracle would notice -------------------------------------------------------------------------------------------

ADA, BOB = State("ada@example.com", "enabled", "editor"), State("bob@example.com", "enabled", "viewer")
COMPLETE, INCOMPLETE = SyncOutcome(status="complete"), SyncOutcome(status="incomplete", reason="the total changed")


def ledger() -> Ledger:
    """Ada and Bob were there throughout."""
    workspace = Workspace()
    workspace.add(ADA.login, id="ada", role=True)
    workspace.add(BOB.login, id="bob", role=False)
    return Ledger(workspace)


BOTH: Picture = {"ada": ADA, "bob": BOB}
PLANTED: dict[str, tuple[Picture | None, Picture | None, SyncOutcome, str]] = {
    "missing": (None, {"ada": ADA}, COMPLETE, "missing in a complete picture"),
    "invented": (None, {**BOTH, "eve": ADA}, COMPLETE, "never existed"),
    "invented, incomplete": (BOTH, {**BOTH, "eve": ADA}, INCOMPLETE, "never existed"),
    "ended": (BOTH, {"ada": ADA}, INCOMPLETE, "ended without proof"),
    "another role": (BOTH, {"ada": ADA, "bob": BOB._replace(role="editor")}, COMPLETE, "lost viewer without proof"),
    "a role from nowhere": (None, {"ada": ADA, "bob": BOB._replace(role="editor")}, COMPLETE, "holds editor, never"),
    "another login": (None, {"ada": ADA, "bob": BOB._replace(login="b@example.com")}, COMPLETE, "has the login"),
    "another status": (None, {"ada": ADA, "bob": BOB._replace(status="disabled")}, COMPLETE, "is disabled, never"),
    "a role that ended": (BOTH, {"ada": ADA, "bob": BOB._replace(role=None)}, INCOMPLETE, "lost viewer without proof"),
    "failed, and published": (
        BOTH,
        {"ada": ADA},
        SyncOutcome(status="failed", reason="it broke"),
        "without being published",
    ),
    "held, and published": (
        BOTH,
        {"ada": ADA},
        SyncOutcome(status="held", reason="too many"),
        "without being published",
    ),
    "no picture": (BOTH, None, COMPLETE, "there is no picture"),
    "no reason": (BOTH, BOTH, SyncOutcome(status="incomplete"), "without a reason"),
    "a reason of Python's": (
        BOTH,
        BOTH,
        SyncOutcome(status="failed", reason="KeyError('x') at Traceback"),
        "person's words",
    ),
    "a reason that steers": (BOTH, BOTH, SyncOutcome(status="failed", reason="all \x1b[2J well"), "not fit to be read"),
}


@pytest.mark.parametrize("plant", PLANTED)
def test_the_oracle_of_syncs_turns_red(plant: str) -> None:
    """Each thing that a sync could get wrong is told, and told as what it is; the truth is not complained of."""
    before, after, outcome, told = PLANTED[plant]
    assert any(told in violation for violation in judge(before, after, ledger(), outcome, Doubt()))
    assert judge(BOTH, BOTH, ledger(), COMPLETE, Doubt()) == []


def test_the_oracle_keeps_to_the_weaker_promise_where_nobody_can_see() -> None:
    """Where a list leaves people out unseen, newcomers may be missing; that somebody known ends is told as ever."""
    unseen = Doubt.of([CATALOGUE["p14_members_hidden"]])
    assert judge({"ada": ADA}, {"ada": ADA}, ledger(), COMPLETE, unseen) == []
    assert any("without proof" in each for each in judge(BOTH, {"ada": ADA}, ledger(), COMPLETE, unseen))


def test_a_leaver_who_stays_is_told() -> None:
    """A complete picture may not show who left before it began."""
    kept = ledger()
    kept.ever.add("old")
    assert any("left before it began" in each for each in judge(BOTH, {**BOTH, "old": BOB}, kept, COMPLETE, Doubt()))


def test_it_turns_red_where_the_host_ends_people_without_looking(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the confirming reads taken out of the host, a list that forgets people shows in the oracle."""
    monkeypatch.setattr("connector_core.sync.engine.SyncEngine._can_look_up", False)
    runs = [play(stage, forgetting(seed)) for seed in range(6)]
    assert any("without proof" in violation for run in runs for violation in run.violations)


def test_it_turns_red_where_the_guard_is_gone_and_everybody_ends(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """With neither guard nor confirming reads, an empty list ends everybody, which is told of each."""
    monkeypatch.setattr("connector_core.sync.engine.SyncEngine._can_look_up", False)
    monkeypatch.setattr("connector_core.sync.engine.SyncEngine._objection", lambda self: None)
    run = play(stage, evolve(forgetting(1), faults=(Struck(name="forgets_everybody", skip=0, times=None),)))
    assert sum("without proof" in violation for violation in run.violations) == 8


def forgetting(seed: int) -> ChaosSchedule:
    return ChaosSchedule(
        seed=seed, people=8, page_size=5, workers=1, synced=True,
        faults=(Struck(name="p14_members_hidden", skip=0, times=None),),
    )  # fmt: skip


def test_an_error_that_is_not_ours_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody translated fails the schedule, with its seed."""

    def broken(*_: Any, **__: Any) -> None:
        raise KeyError("nobody caught this")

    monkeypatch.setattr(schedules, "sync", broken)
    seed = next(seed for seed in range(100) if ChaosSchedule.of(seed).deed is None)
    summary = run_all([seed])
    assert len(summary.failures) == 1
    assert "nobody caught this" in summary.failures[0] and f"--seed {seed} --schedules 1" in summary.failures[0]


def test_a_schedule_that_hangs_ends_the_program_and_is_named() -> None:
    """With its seed, and where it was."""
    program = (
        "import time; import chaos.running as r; r.HANG = 0.5; r.play = lambda *_: time.sleep(60); r.run_all([1234])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(TESTS)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "HANGS seed 1234" in done.stderr and "most recent call first" in done.stderr


def test_a_failing_schedule_is_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed has no fault and no change that the failure does not need."""

    def guilty(stage: Stage, schedule: ChaosSchedule) -> Any:
        wrong = ("it was the second one",) if any(f.name == "p72_401" for f in schedule.faults) else ()
        return schedules.ChaosRun(schedule=schedule, outcome="failed", fired={}, violations=wrong)

    full = ChaosSchedule(
        seed=7, people=8, page_size=5, workers=1, synced=True, earlier=(("join", 0.5),), meanwhile=((1, "leave", 0.5),),
        faults=tuple(Struck(name=name, skip=0, times=None) for name in ("p12_total_absent", "p72_401", "p72_403")),
    )  # fmt: skip
    monkeypatch.setattr(ChaosSchedule, "of", lambda seed: full)
    monkeypatch.setattr("chaos.running.play", guilty)
    (told,) = run_all([7]).failures
    assert "p72_401" in told and "p72_403" not in told and "p12" not in told and "join" not in told


# -- and so would the oracle of operations -----------------------------------------------------------------------------


def plant(stage: Stage, deed: str, name: str | None = None) -> list[str]:
    with stage.scene(12, page_size=5) as scene:
        scene.lay([fault(name)] if name else [])
        return perform(scene, next(each for each in DEEDS if each.name == deed), Doubt())


LIES: dict[str, tuple[str, str | None, str, Callable[..., Any], str]] = {
    "done without looking": (
        "grant", "p40_patch_passed_over", "connector_core.provision.verify.Verifier.verify",
        lambda self, desired, before, outcome: self.done(desired, before, before), "it is not so",
    ),
    "a 404 taken for gone": (
        "delete by id", "p55_one_is_not_routed", "connector_core.scim.presence._others_are_read",
        lambda *_: True, "left the picture, and is there",
    ),
    "failed without looking": (
        "grant", "p63_500_though_done", "connector_core.provision.verify.Verifier.after_error",
        lambda self, desired, before, error, left: OperationResult(state="failed", error=error), "failed, and it is so",
    ),
    "unknown without looking": (
        "delete", "p57_deletion_blocked_403", "connector_core.provision.verify.Verifier.after_error",
        lambda self, desired, before, error, left: OperationResult(state="unknown", error=error),
        "though the answer came",
    ),
    "settled without looking": (
        "delete", "p55_delete_is_html", "connector_core.provision.settle.Settler._ending",
        lambda self, entry: OperationResult(state="done"), "settled as done",
    ),
    "a check without findings": (
        "check", None, "connector_core.host.connection.Connection.check", lambda self: (), "nothing was found out",
    ),
    "a plan without steps": (
        "plan", None, "connector_core.provision.planner.Planner._towards", lambda *_: [], "a plan of []",
    ),
    "a settling that writes": (
        "delete", "p55_delete_is_html", "chaos.operations.sync",
        lambda scene: scene.workspace.journal.append(Write("PATCH", "/Users/7", 200)) or sync(scene), "settling wrote",
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_the_oracle_of_operations_turns_red(stage: Stage, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    """With a safeguard of the host taken out, what it says of an operation is found to be untrue."""
    deed, name, where, instead, told = LIES[lie]
    assert plant(stage, deed, name) == []
    monkeypatch.setattr(where, instead)
    assert any(told in violation for violation in plant(stage, deed, name))


def test_a_creation_that_is_sent_twice_is_told(stage: Stage) -> None:
    """Though the application refuses the second one."""
    with stage.scene(12, page_size=5) as scene:
        scene.lay(
            [], lambda e: scene.workspace.journal.append(Write("POST", "/Users", 409)) if e.kind == "create" else None
        )
        assert "2 creations were sent" in perform(scene, OPERATIONS["create"], Doubt())


def test_somebody_else_who_is_touched_is_told(stage: Stage) -> None:
    """Whoever was not meant and changes is told."""
    with stage.scene(12, page_size=5) as scene:
        victim = scene.workspace.users()[0]

        def meddle(exchange: Any) -> None:
            if exchange.kind == "patch" and scene.workspace.get(victim.id):
                scene.workspace.remove(victim.id)

        scene.lay([], meddle)
        violations = perform(scene, OPERATIONS["grant"], Doubt())
    assert any("was not meant, and became None" in violation for violation in violations)


def test_a_picture_that_stays_wrong_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not come right when nothing is wrong any more is told, user by user."""
    with stage.scene(8, page_size=5) as scene:
        scene.change("leave", 0.5)
        monkeypatch.setattr(Removals, "unseen", lambda self: [])
        assert any("after recovery" in violation or "any more" in violation for violation in recover(scene))
