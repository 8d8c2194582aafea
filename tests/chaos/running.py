"""Runs many schedules, and sums up: how many, which faults fired, how they ended, what was worst."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import resource
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import Factory, define

from chaos.schedule import ChaosRun, ChaosSchedule, play
from chaos.stage import Stage

HANG = 120.0  # real seconds after which a schedule counts as hanging: the program ends, and says where
_SHRINKING = 40  # tries at making a failing schedule smaller


@define
class Summary:
    """``unfired`` counts faults that were scheduled and had nothing to strike; ``failures`` is ready to be read."""

    schedules: int = 0
    fired: Counter[str] = Factory(Counter)
    unfired: Counter[str] = Factory(Counter)
    outcomes: Counter[str] = Factory(Counter)
    failures: list[str] = Factory(list)
    worst: tuple[float, int] = (0.0, 0)
    worst_of_the_clock: tuple[float, int] = (0.0, 0)
    memory: int = 0

    def add(self, run: ChaosRun, seconds: float) -> None:
        self.schedules += 1
        self.outcomes[run.outcome] += 1
        for name, times in run.fired.items():
            (self.fired if times else self.unfired)[name] += times or 1
        self.worst = max(self.worst, (seconds, run.schedule.seed))
        self.worst_of_the_clock = max(self.worst_of_the_clock, (run.seconds_of_the_clock, run.schedule.seed))
        self.memory = max(self.memory, megabytes())

    def join(self, other: Summary) -> None:
        self.schedules += other.schedules
        self.fired += other.fired
        self.unfired += other.unfired
        self.outcomes += other.outcomes
        self.failures += other.failures
        self.worst = max(self.worst, other.worst)
        self.worst_of_the_clock = max(self.worst_of_the_clock, other.worst_of_the_clock)
        self.memory = max(self.memory, other.memory)

    def lines(self) -> Iterator[str]:
        yield from self.failures
        yield f"{self.schedules} schedules, {len(self.failures)} failed"
        yield f"outcomes: {', '.join(f'{n} {name}' for name, n in self.outcomes.most_common())}"
        yield f"{self.fired.total()} faults fired, of {len(self.fired)} kinds:"
        yield from (f"  {count:7} {name}" for name, count in sorted(self.fired.items()))
        yield f"{self.unfired.total()} were scheduled and had nothing to strike"
        never = ", ".join(sorted(set(self.unfired) - set(self.fired))) or "none"
        yield f"never struck: {never}"
        yield f"worst time: {self.worst[0]:.1f} s (seed {self.worst[1]})"
        yield f"worst time of the clock: {self.worst_of_the_clock[0]:.0f} s (seed {self.worst_of_the_clock[1]})"
        yield f"worst memory of a process: {self.memory} MB"


def run_all(seeds: Iterable[int]) -> Summary:
    """One after the other, on one stage."""
    summary = Summary()
    with tempfile.TemporaryDirectory(dir=_quick()) as folder:
        stage = Stage(Path(folder))
        for seed in seeds:
            began = time.monotonic()
            run = _watched(stage, ChaosSchedule.of(seed))
            summary.add(run, time.monotonic() - began)
            if run.violations:
                summary.failures.append(_told(_shrunk(stage, run)))
        stage.close()
    return summary


def _watched(stage: Stage, schedule: ChaosSchedule) -> ChaosRun:
    """Play it; an exception that is none of ours is a violation, and a hang the end of the program."""
    watchdog = threading.Timer(HANG, _hangs, [schedule])
    watchdog.daemon = True
    watchdog.start()
    try:
        return play(stage, schedule)
    except Exception:
        stage.broken.clear()
        return ChaosRun(schedule=schedule, outcome="exception", fired={}, violations=(traceback.format_exc(limit=-8),))
    finally:
        watchdog.cancel()


def _hangs(schedule: ChaosSchedule) -> None:
    """End the program, and say with which schedule and where it was."""
    stream = sys.__stderr__ or sys.stderr
    print(f"HANGS {schedule}\n  replay: --seed {schedule.seed} --schedules 1", file=stream, flush=True)
    faulthandler.dump_traceback(file=stream)
    os._exit(3)


def _shrunk(stage: Stage, run: ChaosRun) -> ChaosRun:
    """The same failure with as few faults and changes as will do."""
    tries = _SHRINKING
    while tries > 0:
        for smaller in run.schedule.smaller():
            tries -= 1
            if (again := _watched(stage, smaller)).violations:
                run = again
                break
        else:
            break
    return run


def _told(run: ChaosRun) -> str:
    wrong = "\n  ".join(run.violations[:5])
    return f"FAILED ({run.outcome}) {run.schedule}\n  {wrong}\n  replay: --seed {run.schedule.seed} --schedules 1"


def megabytes() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // (2**20 if sys.platform == "darwin" else 2**10)


def _quick() -> str | None:
    """Where files cost no disk, if there is such a place."""
    memory = Path("/dev/shm")
    with contextlib.suppress(OSError):
        return str(memory) if os.access(memory, os.W_OK) else None
    return None
