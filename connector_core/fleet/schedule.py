"""When connections are to be run again: a rhythm that failures, overlaps and clock changes do not break."""

from __future__ import annotations

import re
from collections.abc import Collection
from random import Random

from attrs import define, field, frozen

from connector_core.clock import Clock
from connector_core.errors import UsageError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SHORTEST, _LONGEST = 1.0, 366 * 86_400.0


def duration(text: str) -> float:
    """``90s``, ``15m``, ``6h`` or ``7d`` as seconds.

    :raises UsageError: it is none of these, or not between a second and a year.
    """
    found = re.fullmatch(r"\s*(\d{1,9})\s*([smhd])\s*", text, re.ASCII)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0.0
    if not _SHORTEST <= seconds <= _LONGEST:
        raise UsageError(f"{text!r} is no time between two runs", hint="say 90s, 15m, 6h or 7d")
    return seconds


@frozen(kw_only=True)
class Rhythm:
    """How often. ``every`` in seconds; each run is late by up to ``jitter`` of it, at most ``latest`` seconds.

    Jitter keeps many hosts from asking one application in the same second. A connection that fails repeatedly is
    run at every second, fourth, and at last ``slowest``-th turn only.
    """

    every: float
    jitter: float = 0.1
    latest: float = 300.0
    slowest: int = 8


@define
class _Turn:
    """Of one connection. Turns lie on a grid from ``first`` on; ``number`` is the next, or the one under way."""

    first: float
    due: float
    number: int = 0
    failures: int = 0
    running: bool = False
    wanted: bool = True


@define
class Schedule:
    """Which connections are due. Nothing here waits or runs anything; used by one thread.

    Kept by the monotonic clock: setting the machine's time forward or back moves no turn. While the machine
    sleeps, that clock may stand still.
    """

    rhythm: Rhythm
    clock: Clock
    chance: Random
    _turns: dict[str, _Turn] = field(factory=dict, init=False)

    def keep(self, names: Collection[str]) -> None:
        """Run exactly these from now on; new ones are due at once, others keep their rhythm.

        What is under way and no longer wanted is remembered until it ends: it might be wanted again before.
        """
        now = self.clock.monotonic()
        kept = {name: turn for name, turn in self._turns.items() if turn.running or name in names}
        self._turns = kept | {name: _Turn(now, now) for name in names if name not in kept}
        for name, turn in self._turns.items():
            turn.wanted = name in names

    def due(self) -> list[str]:
        """Those to be run now, the longest overdue first. One that is under way is not due, however long it takes."""
        now = self.clock.monotonic()
        return sorted(
            (name for name, turn in self._turns.items() if not turn.running and turn.due <= now),
            key=lambda name: self._turns[name].due,
        )

    def began(self, name: str) -> None:
        self._turns[name].running = True

    def ended(self, name: str, *, ok: bool, wait: float = 0.0) -> None:
        """Work out the next turn: the first on the grid that is still ahead; those missed meanwhile are left out.

        :param ok: whether it did what it should; after failures, turns are left out.
        :param wait: the application asked not to be asked again for so many seconds.
        """
        turn = self._turns[name]
        turn.running = False
        if not turn.wanted:
            del self._turns[name]
            return
        turn.failures = 0 if ok else turn.failures + 1
        steps = min(2 ** max(0, turn.failures - 1), self.rhythm.slowest)
        ahead = max(self.clock.monotonic() - turn.first, 0.0)
        turn.number = max(turn.number + steps, int(ahead // self.rhythm.every) + 1)
        late = self.chance.uniform(0.0, min(self.rhythm.jitter * self.rhythm.every, self.rhythm.latest))
        turn.due = max(turn.first + turn.number * self.rhythm.every + late, self.clock.monotonic() + wait)

    def wait(self) -> float | None:
        """Seconds until the next turn; None where nothing is left to wait for but what is under way."""
        waiting = [turn.due for turn in self._turns.values() if not turn.running]
        return max(0.0, min(waiting) - self.clock.monotonic()) if waiting else None

    def next_run(self, name: str) -> float | None:
        """When that is by the clock on the wall, in seconds since 1970; None where it is under way or not wanted."""
        turn = self._turns.get(name)
        if turn is None or turn.running:
            return None
        return self.clock.now() + turn.due - self.clock.monotonic()
