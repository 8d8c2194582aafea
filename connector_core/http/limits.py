"""Rate limits: how fast requests may leave, by setting or as learned from refusals.

A limit that was set is kept by spacing requests evenly. One that is not set shows itself by a 429: from then on
requests are spaced by what the application let through, a little less. The pace grows again, quickly up to a little
less than the one that was refused, then slowly, since the limit lies near. When one thread has to slow down, all
that share the limit wait.
"""

from __future__ import annotations

import math
import threading

from connector_core.clock import Clock

_MARGIN = 0.95  # of a limit that was set: clocks and networks jitter
_CUT = 0.9  # of what was let through, or of the pace that was refused
_SEEKING, _WARY = 1.3, 1.005  # growth in a second, far from the pace that was refused and near it
_ENOUGH = 2.0  # seconds in which what was let through shows what may be
_SLOWEST = 0.1  # requests a second


class RateLimit:
    """One rate limit of the application, shared by all threads of a client. Times are the clock's monotonic ones.

    :param per_second: the limit, where it is known.
    """

    def __init__(self, clock: Clock, per_second: float | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._highest = math.inf if per_second is None else per_second * _MARGIN
        self._pace = self._highest  # requests a second
        self._near = math.inf  # where growing slowly begins
        now = clock.monotonic()
        self._opens = self._next = self._paced = self._counted = now
        self._cut = -math.inf
        self._let_through = 0  # since `_counted`

    def close_for(self, seconds: float) -> None:
        """Send nothing for this long; a longer wait that already stands is not cut short."""
        with self._lock:
            self._opens = max(self._opens, self._clock.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds until it is open; 0.0 where it is."""
        return max(0.0, self._opens - self._clock.monotonic())

    def turn(self) -> float:
        """Take the next place in the row: the seconds until it comes."""
        with self._lock:
            now = self._clock.monotonic()
            if self._pace == math.inf:
                return 0.0
            self._grow(now)
            mine = max(now, self._next)
            self._next = mine + 1 / self._pace
            return mine - now

    def let_through(self) -> None:
        """A request was answered with something else than 429."""
        with self._lock:
            self._let_through += 1

    def refused(self, sent: float) -> None:
        """A request that left at ``sent`` was answered 429. Those under way at the same time tell nothing new."""
        with self._lock:
            if sent <= self._cut:
                return
            now = self._clock.monotonic()
            if self._let_through:  # else the application is closed, whatever the pace
                self._slow_down(now - self._counted)
            self._next = now + 1 / self._pace
            self._cut = self._counted = self._paced = now
            self._let_through = 0

    def _slow_down(self, seconds: float) -> None:
        """Less than was let through in the ``seconds`` since the last cut, where they are enough to tell."""
        is_enough = self._pace == math.inf or seconds >= _ENOUGH
        seen = self._let_through / max(1.0, seconds) if is_enough else self._pace
        self._near = self._pace * _CUT
        self._pace = max(_SLOWEST, min(self._pace, seen) * _CUT)

    def _grow(self, now: float) -> None:
        # At most a second's growth at once: what was not tried was not found good.
        passed = min(1.0, now - self._paced)
        if self._pace < self._near:
            self._pace = min(self._near, self._pace * _SEEKING**passed)
        else:
            self._pace *= _WARY**passed
        self._pace = min(self._pace, self._highest)
        self._paced = now


class RateLimits:
    """The limits of a client by name, made when first named."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._by_name: dict[str, RateLimit] = {}

    def __getitem__(self, name: str) -> RateLimit:
        with self._lock:
            return self._by_name.setdefault(name, RateLimit(self._clock))

    def set(self, name: str, per_second: float) -> None:
        """Keep to a limit that is known."""
        with self._lock:
            self._by_name[name] = RateLimit(self._clock, per_second)
