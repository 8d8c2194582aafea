"""Random schedules from a seed: who is there, what the server does wrong and when, who comes and goes meanwhile."""

from __future__ import annotations

import random
from typing import Any

from attrs import evolve, frozen

from chaos.operations import DEEDS, Deed, perform
from chaos.oracle import Doubt, judge
from chaos.stage import CHANGES, HTTP, IMPATIENT, ChaosCase, Stage
from chaos.syncing import recover, sync
from connector_core.testing.faults import CATALOGUE, Fault, fault

SIZES = (5, 8, 13, 20, 30, 40)
SYNC = frozenset({"list", "one"})  # what a sync asks for
OPERATIONS = {deed.name: deed for deed in DEEDS if deed.name not in ("check", "run", "plan")}
_OPERATING = 0.2  # of schedules that change something instead of reading
_TEAM = 12  # people of whom enough hold each role
_RARE = 0.1  # of faults that cost real time


def candidates(kinds: frozenset[str]) -> list[str]:
    """The faults that such requests can meet."""
    return sorted(name for name, about in CATALOGUE.items() if about.kinds & kinds and not about.provoked)


@frozen(kw_only=True)
class Struck:
    """A fault of a schedule."""

    name: str
    skip: int
    times: int | None

    def make(self) -> Fault:
        return fault(self.name, skip=self.skip, times=self.times)

    def __str__(self) -> str:
        often = "always" if self.times is None else f"{self.times} times"
        return f"{self.name} ({often}, after {self.skip})"


@frozen(kw_only=True)
class ChaosSchedule:
    """``deed``: an operation, or None for a sync. ``earlier``: what changed since the first sync; ``meanwhile``: what
    changes when a listing is asked for the n-th time. A change is what happens and, from 0 to 1, to whom.
    """

    seed: int
    people: int
    page_size: int
    workers: int
    synced: bool
    faults: tuple[Struck, ...]
    earlier: tuple[tuple[str, float], ...] = ()
    meanwhile: tuple[tuple[int, str, float], ...] = ()
    deed: str | None = None
    patch_style: str = "path"

    @classmethod
    def of(cls, seed: int) -> ChaosSchedule:
        rng = random.Random(seed)
        if rng.random() < _OPERATING:
            deed = rng.choice(sorted(OPERATIONS))
            faults = _struck(rng, OPERATIONS[deed].kinds, rng.choice((1, 2, 2, 3)))
            style = rng.choice(("path", "path", "nested", "flat"))
            return cls(
                seed=seed,
                people=_TEAM,
                page_size=5,
                workers=1,
                synced=True,
                faults=faults,
                deed=deed,
                patch_style=style,
            )
        people = rng.choice(SIZES)
        return cls(
            seed=seed, people=people, page_size=rng.randint(3, 10), workers=rng.choice((1, 1, 1, 1, 2, 4)),
            synced=rng.random() < 0.85, faults=_struck(rng, SYNC, rng.choice((0, 1, 1, 1, 2, 2, 3))),
            earlier=tuple((rng.choice(CHANGES), rng.random()) for _ in range(rng.choice((0, 0, 1, 2, people // 3)))),
            meanwhile=tuple(
                (rng.randint(1, 12), rng.choice(CHANGES), rng.random()) for _ in range(rng.choice((0, 0, 1, 2, 4)))
            ),
        )  # fmt: skip

    @property
    def doubt(self) -> Doubt:
        doubt = Doubt.of(CATALOGUE[f.name] for f in self.faults)
        # who leaves after being read makes up, in the count, for the one who is never shown
        never_shown = any(f.name == "p09_counted_from_zero" for f in self.faults)
        made_up = never_shown and any(what == "leave" for _, what, _ in self.meanwhile)
        return evolve(doubt, unseen=doubt.unseen or made_up)

    def smaller(self) -> list[ChaosSchedule]:
        """The same without one of its faults or changes."""
        return [
            evolve(self, **{field: values[:n] + values[n + 1 :]})
            for field in ("faults", "earlier", "meanwhile")
            for values in (getattr(self, field),)
            for n in range(len(values))
        ]

    def __str__(self) -> str:
        parts = [f"seed {self.seed}: {self.deed or 'sync'} of {self.people} people, {self.page_size} a page"]
        parts += [f"patch style {self.patch_style}"] if self.deed else []
        parts += [f"{self.workers} workers"] if self.workers > 1 else []
        parts += [] if self.synced else ["never synced before"]
        parts += [f"fault {struck}" for struck in self.faults]
        parts += [f"before: {what} {who:.3f}" for what, who in self.earlier]
        parts += [f"at listing {when}: {what} {who:.3f}" for when, what, who in self.meanwhile]
        return "; ".join(parts)


def _struck(rng: random.Random, kinds: frozenset[str], count: int) -> tuple[Struck, ...]:
    """Of faults that say 404 of anything at most one: two of them together can make anybody look gone."""
    names, struck = candidates(kinds), []
    for _ in range(count):
        (name,) = rng.choices(names, [_weight(name) for name in names])
        times = CATALOGUE[name].times or rng.choice((1, 2, 4, None, None))
        struck.append(Struck(name=name, skip=rng.choice((0, 0, 0, 1, 2, 3, 5)), times=times))
        if _says_404(name):
            names = [other for other in names if not _says_404(other)]
    return tuple(struck)


def _weight(name: str) -> float:
    """What strikes few requests is drawn more often: it would hardly ever meet one of them."""
    return _RARE if "silent" in name else 3.0 if len(CATALOGUE[name].kinds) < 3 else 1.0


def _says_404(name: str) -> bool:
    return "404" in name or "not_routed" in name


@frozen(kw_only=True)
class ChaosRun:
    """What came of a schedule. ``outcome``: how the sync ended, or the state of the operation."""

    schedule: ChaosSchedule
    outcome: str
    fired: dict[str, int]
    violations: tuple[str, ...]
    seconds_of_the_clock: float = 0.0


def play(stage: Stage, schedule: ChaosSchedule) -> ChaosRun:
    """Sync or operate under the faults, and judge."""
    http = IMPATIENT if any("silent" in f.name for f in schedule.faults) else HTTP
    faults = [struck.make() for struck in schedule.faults]
    settings = {"page_size": schedule.page_size, "patch_style": schedule.patch_style}
    with stage.scene(schedule.people, synced=schedule.synced, http=http, **settings) as scene:
        began = scene.clock.monotonic()
        if schedule.deed is not None:
            outcome, violations = _operate(scene, OPERATIONS[schedule.deed], faults, schedule)
        else:
            outcome, violations = _sync(scene, faults, schedule)
        fired = {f.name: f.fired for f in faults}
        took = scene.clock.monotonic() - began
    return ChaosRun(
        schedule=schedule, outcome=outcome, fired=fired, violations=tuple(violations), seconds_of_the_clock=took
    )


def _operate(scene: ChaosCase, deed: Deed, faults: list[Fault], schedule: ChaosSchedule) -> tuple[str, list[str]]:
    scene.lay(faults)
    violations = perform(scene, deed, schedule.doubt)
    operations = scene.connection.operations(limit=1)
    return f"operation {operations[0].state}" if operations else "operation refused", violations


def _sync(scene: ChaosCase, faults: list[Fault], schedule: ChaosSchedule) -> tuple[str, list[str]]:
    """Then once more with nothing wrong, which must put everything right.

    Of complete ones only each third is synced once more: that takes as long as all the rest.
    """
    for what, who in schedule.earlier:
        scene.change(what, who)
    before = scene.picture()
    scene.ledger.begin()
    scene.lay(faults, _drift(scene, schedule))
    began = scene.clock.monotonic()
    outcome, requests = sync(scene, workers=schedule.workers)
    took = scene.clock.monotonic() - began
    violations = judge(before, scene.picture(), scene.ledger, outcome, schedule.doubt)
    if _too_long(took, requests):
        violations.append(f"{outcome.status} took {took:.0f} s for {requests} requests")
    if outcome.status != "complete" or schedule.seed % 3 == 0:
        scene.lay([])
        violations += recover(scene)
    return outcome.status, violations


def _drift(scene: ChaosCase, schedule: ChaosSchedule) -> Any:
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
