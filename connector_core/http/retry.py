"""What may be sent again, and when."""

from __future__ import annotations

import random

from connector_core.clock import Clock
from connector_core.http.call import Call
from connector_core.http.response import Response
from connector_core.http.retry_after import asked_wait
from connector_core.http.transport_errors import TransportError
from connector_core.http.values import HttpPolicy

PASSING = frozenset({429, 500, 502, 503, 504})
"""Statuses of faults that may pass."""


def may_repeat(call: Call, result: Response | TransportError, asked: float | None) -> bool:
    """Whether sending again is safe and sensible.

    A read is repeated after every fault that may pass; a write only where the application provably did nothing (P75):
    nothing reached it, it refused by 429, or by a 503 that says when to come back.
    """
    if isinstance(result, TransportError):
        return result.patience != "none" and (call.reads or not result.sent)
    return (
        result.status in PASSING if call.reads else result.status == 429 or (result.status == 503 and asked is not None)
    )


class RetryBudget:
    """How much longer one request may be tried. Begins when its first attempt leaves."""

    def __init__(self, policy: HttpPolicy, clock: Clock, chance: random.Random) -> None:
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._began = clock.monotonic()
        self._tries = 0

    def pause(self, result: Response | TransportError, asked: float | None) -> float | None:
        """Seconds until the next attempt, or None where this one was the last.

        A wait that the server asks for may begin as long as the budget lasts; one of our own must also end within it.
        """
        self._tries += 1
        spent = self._clock.monotonic() - self._began
        pause = self._backoff()
        if asked is not None:
            # Never faster than without being asked: "at once", said for ever, must not make us hammer the server.
            return max(self.clamped(asked), pause) if spent < self._policy.retry_budget else None
        short = isinstance(result, TransportError) and result.patience == "short"
        if short and self._tries >= self._policy.unreachable_tries:
            return None
        budget = self._policy.unreachable_budget if short else self._policy.retry_budget
        return pause if spent + pause <= budget else None

    def clamped(self, asked: float) -> float:
        return min(asked, self._policy.max_retry_after)

    def _backoff(self) -> float:
        """Full jitter: threads that failed together do not come back together."""
        longest = min(self._policy.backoff_max, self._policy.backoff_first * 2.0 ** min(self._tries - 1, 30))
        return self._chance.uniform(0.0, longest)


def asked_by(result: Response | TransportError, now: float) -> float | None:
    """Seconds that the application asks us to wait, or None."""
    return None if isinstance(result, TransportError) else asked_wait(result.status, result.headers, now)
