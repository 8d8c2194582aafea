"""The rhythm of `run --every`: through failures, overlaps and clock changes, on a clock that does not wait."""

from __future__ import annotations

from random import Random

import pytest

from connector_core.errors import UsageError
from connector_core.fleet.schedule import Rhythm, Schedule, duration
from connector_core.testing import FakeClock

HOUR = 3600.0


class Wall(FakeClock):
    """A clock whose time of day somebody can set."""

    offset = 0.0

    def now(self) -> float:
        return super().now() + self.offset


def schedule(*names: str, jitter: float = 0.0, every: float = HOUR) -> tuple[Schedule, Wall]:
    clock = Wall()
    made = Schedule(Rhythm(every=every, jitter=jitter), clock, Random(7))
    made.keep(names)
    return made, clock


def lived(made: Schedule, clock: FakeClock, hours: float, took: float = 10.0, ok: bool = True) -> list[float]:
    """Do what is due, one after the other, for so many hours; when each began, in hours."""
    began, ends = [], clock.monotonic() + hours * HOUR
    while (wait := made.wait()) is not None and clock.monotonic() + wait < ends:
        clock.advance(wait)
        for name in made.due():
            began.append(round(clock.monotonic() / HOUR, 3))
            made.began(name)
            clock.advance(took)
            made.ended(name, ok=ok)
    clock.advance(ends - clock.monotonic())
    return began


def test_runs_keep_their_distance_however_long_each_takes() -> None:
    """Once an hour is once an hour, not an hour and the time that the run took."""
    made, clock = schedule("a")
    assert lived(made, clock, 4.5, took=600.0) == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_run_that_takes_longer_is_not_overlapped_and_its_missed_turns_are_left_out() -> None:
    """Never two of one connection at a time; and no burst to catch up afterwards."""
    made, clock = schedule("a")
    assert made.due() == ["a"]
    made.began("a")
    clock.advance(2.5 * HOUR)
    assert made.due() == []
    assert made.wait() is None
    made.ended("a", ok=True)
    assert made.due() == []
    assert lived(made, clock, 3.0) == [3.0, 4.0, 5.0]


def test_one_that_takes_long_does_not_keep_others_waiting() -> None:
    """While one is under way, the others' turns come."""
    made, clock = schedule("slow", "quick")
    made.began("slow")
    assert lived(made, clock, 2.5) == [0.0, 1.0, 2.0]


def test_who_fails_again_and_again_is_asked_less_often_until_it_works() -> None:
    """The next turn after one failure, then every second, fourth, eighth; success brings the rhythm back."""
    made, clock = schedule("a")
    assert lived(made, clock, 24.5, ok=False) == [0.0, 1.0, 3.0, 7.0, 15.0, 23.0]
    assert lived(made, clock, 9.0) == [31.0, 32.0, 33.0]


def test_an_application_that_asks_to_wait_longer_is_obeyed() -> None:
    """``Retry-After`` beyond the next turn moves that turn, and no later one."""
    made, clock = schedule("a")
    made.began("a")
    made.ended("a", ok=False, wait=1.5 * HOUR)
    assert lived(made, clock, 4.0) == [1.5, 2.0, 3.0]


@pytest.mark.parametrize("jump", [-5 * HOUR, 5 * HOUR])
def test_setting_the_clock_moves_no_turn(jump: float) -> None:
    """Neither a run too early nor a rhythm lost; only the time of day that is told follows."""
    made, clock = schedule("a")
    assert lived(made, clock, 1.5) == [0.0, 1.0]
    before = made.next_run("a")
    clock.offset = jump
    assert made.next_run("a") == pytest.approx(before + jump)
    assert lived(made, clock, 2.0) == [2.0, 3.0]


def test_jitter_spreads_turns_and_does_not_add_up() -> None:
    """Each is late by at most a tenth, from its own place on the grid."""
    made, clock = schedule("a", jitter=0.1)
    late = [began - number for number, began in enumerate(lived(made, clock, 50.0))]
    assert len(late) == 50
    assert late[0] == 0.0  # the first comes at once
    assert all(0.0 <= hours <= 300.0 / HOUR + 0.001 for hours in late)
    assert len(set(late)) > 25


def test_new_names_are_due_at_once_and_others_keep_their_turns() -> None:
    """As after reading the configuration anew; what is under way and no longer wanted ends in peace."""
    made, clock = schedule("a", "gone")
    made.began("gone")
    lived(made, clock, 0.5)
    made.keep(["a", "new"])
    made.ended("gone", ok=True)
    assert made.due() == ["new"]
    assert made.next_run("gone") is None
    assert lived(made, clock, 1.0) == [0.5, 1.0]


def test_one_that_is_dropped_and_added_again_while_it_runs_is_not_begun_twice() -> None:
    """It keeps its turn, as if nothing had happened; dropped for good, it ends and is forgotten."""
    made, clock = schedule("a")
    made.began("a")
    made.keep([])
    made.keep(["a"])
    assert made.due() == []
    made.ended("a", ok=True)
    assert lived(made, clock, 2.5) == [1.0, 2.0]
    made.began("a")
    made.keep([])
    made.ended("a", ok=True)
    assert made.wait() is None
    made.keep(["a"])
    assert made.due() == ["a"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("15m", 900.0), ("6h", 21_600.0), ("7d", 604_800.0), (" 1 h ", 3600.0)]
)
def test_durations(text: str, seconds: float) -> None:
    """A number and a unit."""
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1.5h", "-1h", "0s", "400d", "1h30m", "999999999999d", "１h", "1w"])
def test_what_is_no_duration(text: str) -> None:
    """Refused, with what can be said."""
    with pytest.raises(UsageError, match="no time between two runs"):
        duration(text)
