"""A clock for tests: it moves only when a test or a sleep moves it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from connector_core.errors import Interrupted


class FakeClock:
    """A `Clock` on which waiting takes no time. Safe in threads.

    ``sleeps`` records every wait asked for, in seconds. ``on_sleep`` is called with the seconds before time
    moves, which is where a test sets a cancel event "meanwhile".
    """

    def __init__(self, now: float = 1_800_000_000.0, *, on_sleep: Callable[[float], None] | None = None) -> None:
        self.sleeps: list[float] = []
        self._start = now
        self._elapsed = 0.0
        self._on_sleep = on_sleep
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        with self._lock:
            return self._elapsed

    def sleep(self, seconds: float, cancel: threading.Event | None = None) -> None:
        """Move time on at once; raise `Interrupted`, with time as it was, when ``cancel`` is or gets set."""
        _raise_if_set(cancel)
        with self._lock:
            self.sleeps.append(seconds)
        if self._on_sleep is not None:
            self._on_sleep(seconds)
        _raise_if_set(cancel)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move time on without anybody having waited."""
        with self._lock:
            self._elapsed += max(0.0, seconds)


def _raise_if_set(cancel: threading.Event | None) -> None:
    if cancel is not None and cancel.is_set():
        raise Interrupted("interrupted while waiting")
