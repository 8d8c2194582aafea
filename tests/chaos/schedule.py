"""Random schedules from a seed: who is there, what the server does wrong and when, who comes and goes meanwhile."""

from __future__ import annotations

import random
from typing import Any

from attrs import frozen

from chaos.oracle import Doubt, Outcome, judge
from chaos.stage import CHANGES, HTTP, IMPATIENT, Scene, Stage
from connector_core.errors import ConnectorCoreError
from connector_core.testing.faults import CATALOGUE, Fault, fault

SIZES = (5, 8, 13, 20, 30, 40)
READS = frozenset({"list", "one"})  # what a sync asks for
CANDIDATES = sorted(name for name, about in CATALOGUE.items() if about.kinds & READS and not about.provoked)
_RARE = 0.1  # of faults that cost real time


@frozen(kw_only=True)
class Struck:
    """A fault of a schedule."""

    name: str
    skip: int
    times: int | None

    def make(self) -> Fault:
        return fault(self.name, skip=self.skip, times=self.times)


@frozen(kw_only=True)
class Schedule:
    """``earlier``: what changed since the first sync; ``meanwhile``: what changes when a listing is asked for the n-th
    time. A change is what happens and, from 0 to 1, to whom.
    """

    seed: int
    people: int
    page_size: int
    workers: int
    synced: bool
    faults: tuple[Struck, ...]
    earlier: tuple[tuple[str, float], ...]
    meanwhile: tuple[tuple[int, str, float], ...]

    @classmethod
    def of(cls, seed: int) -> Schedule:
        rng = random.Random(seed)
        people = rng.choice(SIZES)
        return cls(
            seed=seed, people=people, page_size=rng.randint(3, 10), workers=rng.choice((1, 1, 1, 1, 2, 4)),
            synced=rng.random() < 0.85,
            faults=tuple(_struck(rng) for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3)))),
            earlier=tuple((rng.choice(CHANGES), rng.random()) for _ in range(rng.choice((0, 0, 1, 2, people // 3)))),
            meanwhile=tuple(
                (rng.randint(1, 12), rng.choice(CHANGES), rng.random()) for _ in range(rng.choice((0, 0, 1, 2, 4)))
            ),
        )  # fmt: skip

    @property
    def doubt(self) -> Doubt:
        return Doubt.of(CATALOGUE[f.name] for f in self.faults)


def _struck(rng: random.Random) -> Struck:
    weights = [_RARE if "silent" in name else 1.0 for name in CANDIDATES]
    (name,) = rng.choices(CANDIDATES, weights)
    times = CATALOGUE[name].times or rng.choice((1, 2, 4, None, None))
    return Struck(name=name, skip=rng.choice((0, 0, 0, 1, 2, 3, 5)), times=times)


@frozen(kw_only=True)
class Run:
    """What came of a schedule."""

    schedule: Schedule
    outcome: Outcome
    fired: dict[str, int]
    violations: tuple[str, ...]
    seconds_of_the_clock: float
    requests: int


def play(stage: Stage, schedule: Schedule) -> Run:
    """Sync under the faults, and judge; then once more with nothing wrong, which must put everything right.

    Of complete ones only each third is synced once more: that takes as long as all the rest.
    """
    http = IMPATIENT if any("silent" in f.name for f in schedule.faults) else HTTP
    with stage.scene(schedule.people, synced=schedule.synced, http=http, page_size=schedule.page_size) as scene:
        for what, who in schedule.earlier:
            scene.change(what, who)
        before = scene.picture()
        scene.ledger.begin()
        faults = [struck.make() for struck in schedule.faults]
        scene.lay(faults, _drift(scene, schedule))
        began = scene.clock.monotonic()
        outcome, requests = sync(scene, workers=schedule.workers)
        took = scene.clock.monotonic() - began
        violations = judge(before, scene.picture(), scene.ledger, outcome, schedule.doubt)
        violations += (
            [f"{outcome.status} took {took:.0f} s for {requests} requests"] if _too_long(took, requests) else []
        )
        if outcome.status != "complete" or schedule.seed % 3 == 0:
            scene.lay([])
            violations += recover(scene)
        fired = {f.name: f.fired for f in faults}
        return Run(
            schedule=schedule, outcome=outcome, fired=fired, violations=tuple(violations), seconds_of_the_clock=took,
            requests=requests,
        )  # fmt: skip


def sync(scene: Scene, **more: Any) -> tuple[Outcome, int]:
    """Sync; how it ended, and how many requests it took. An exception that is not ours goes through."""
    try:
        report = scene.connection.sync(**more)
    except ConnectorCoreError as error:
        report = error.report
        if report is None:
            return Outcome(status="failed", reason=error.message), 0
        assert report.sync.status in ("failed", "interrupted"), report
        return Outcome(status=report.sync.status, reason=error.message), report.sync.requests
    return Outcome(status=report.sync.status, reason=report.sync.reason or ""), report.sync.requests


def recover(scene: Scene) -> list[str]:
    """With nothing wrong any more, the next sync is complete and right, where a person accepts what was held."""
    scene.ledger.begin()
    outcome, _ = sync(scene)
    if outcome.status == "held":
        outcome, _ = sync(scene, accept_removals=True)
    if outcome.status != "complete":
        return [f"with nothing wrong any more: {outcome.status}, {outcome.reason}"]
    picture = scene.picture() or {}
    wrong = {id for id in {*picture, *scene.ledger.now} if picture.get(id) != scene.ledger.now.get(id)}
    return [f"{id}: {picture.get(id)} after recovery, is {scene.ledger.now.get(id)}" for id in sorted(wrong)]


def _drift(scene: Scene, schedule: Schedule) -> Any:
    asked = 0

    def before(exchange: Any) -> None:
        nonlocal asked
        if exchange.kind != "list":
            return
        asked += 1
        for when, what, who in schedule.meanwhile:
            if when == asked:
                scene.change(what, who)

    return before


def _too_long(took: float, requests: int) -> bool:
    """Two minutes of retries a page, and waits of at most five minutes."""
    return took > 450.0 * (requests + 1)
