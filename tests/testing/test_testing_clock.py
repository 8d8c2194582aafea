"""The clock that does not wait."""

from __future__ import annotations

import threading

import pytest

from connector_core.errors import Interrupted
from connector_core.testing import FakeClock


def test_sleeping_moves_both_times_and_is_recorded() -> None:
    """A sleep takes no time and moves the clock by exactly its length."""
    clock = FakeClock(now=1000.0)
    clock.sleep(90)
    clock.sleep(0.5)
    assert (clock.now(), clock.monotonic(), clock.sleeps) == (1090.5, 90.5, [90, 0.5])


def test_advancing_is_not_sleeping() -> None:
    """Time that passes by itself is not counted as waiting."""
    clock = FakeClock(now=1000.0)
    clock.advance(5)
    assert (clock.now(), clock.sleeps) == (1005.0, [])


def test_a_cancel_set_before_ends_the_sleep() -> None:
    """A sleep that is cancelled already raises, and time stays."""
    clock, cancel = FakeClock(), threading.Event()
    cancel.set()
    with pytest.raises(Interrupted):
        clock.sleep(60, cancel)
    assert (clock.monotonic(), clock.sleeps) == (0.0, [])


def test_a_cancel_set_meanwhile_ends_the_sleep() -> None:
    """A cancel that comes while waiting raises, after the wait was begun."""
    cancel = threading.Event()
    clock = FakeClock(on_sleep=lambda _seconds: cancel.set())
    with pytest.raises(Interrupted):
        clock.sleep(60, cancel)
    assert (clock.monotonic(), clock.sleeps) == (0.0, [60])


def test_threads_lose_no_time() -> None:
    """Sleeps of many threads add up."""
    clock = FakeClock()

    def sleep_often() -> None:
        for _ in range(200):
            clock.sleep(1)

    threads = [threading.Thread(target=sleep_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() == 1600.0
