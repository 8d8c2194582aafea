"""Rate limits: when one thread is told to slow down, all that share the limit wait."""

from __future__ import annotations

import threading

from connector_core.clock import Clock


class Limit:
    """One rate limit of the application, shared by all threads of a client."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._opens = clock.monotonic()

    def close_for(self, seconds: float) -> None:
        """Nobody sends for this long; a longer wait that already stands is not cut short."""
        with self._lock:
            self._opens = max(self._opens, self._clock.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds until the next request may leave; 0.0 where it may leave now."""
        return max(0.0, self._opens - self._clock.monotonic())


class Limits:
    """The limits of a client by name, made when first named."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_name: dict[str, Limit] = {}

    def __getitem__(self, name: str) -> Limit:
        with self._lock:
            return self._by_name.setdefault(name, Limit(self._clock))
