"""How many pages to ask for at once: as many as the application answers without growing slower, and no more.

A page that takes much longer than the quickest of its stream has mostly waited for the others in flight: then one page
less is asked for at a time. A refusal (429) halves the number. While answers come quickly it grows by one a round, up
to the limit. How many requests may leave in a second is another question, see `connector_core.http.limits`.
"""

from __future__ import annotations

from math import inf

_LITTLE, _MUCH = 0.25, 0.5  # of a page's time spent waiting: below, one more is tried; above, one less
_MEMORY = 50  # rounds after which a crowded application is no longer held for as quick as it once was
_STREAMS = 1000  # remembered at once


class Pace:
    """Used by one thread. Times are seconds of a monotonic clock.

    :param most: pages in flight, at most; also what it begins with, so that a quick application is not kept waiting.
    """

    def __init__(self, most: int) -> None:
        self.in_flight = most
        self._most = most
        self._changed = -inf  # pages asked for before were in flight with more others, or fewer
        self._waits: list[float] = []  # of this round: the shares of their time that pages waited
        self._quickest: dict[str, float] = {}  # by stream
        self._quickest_lately: dict[str, float] = {}
        self._rounds = 0

    def answered(self, stream: str, asked: float, now: float) -> None:
        """A page of a stream that was asked for at ``asked`` has come."""
        if asked < self._changed:
            return
        took = now - asked
        quickest = self._quickest[stream] = min(took, self._quickest.get(stream, inf))
        self._quickest_lately[stream] = min(took, self._quickest_lately.get(stream, inf))
        self._waits.append(1 - quickest / took if took > 0 else 0.0)
        if len(self._waits) >= self.in_flight:
            self._judge(now)

    def refused(self, asked: float, now: float) -> None:
        """The application said 429 to a page that was asked for at ``asked``; those in flight with it say it once."""
        if asked >= self._changed:
            self._set(max(1, self.in_flight // 2), now)

    def _judge(self, now: float) -> None:
        """Look at a round: as many pages as may be in flight."""
        waiting = sum(self._waits) / len(self._waits)
        self._rounds += 1
        if len(self._quickest) > _STREAMS:
            self._quickest.clear()
            self._quickest_lately.clear()
        if self._rounds % _MEMORY == 0 and waiting >= _LITTLE:
            # Perhaps it is no longer as quick as it was: seen only where few are in flight.
            self._quickest, self._quickest_lately = self._quickest_lately, {}
            self._set(max(1, self.in_flight // 2), now)
        else:
            fewer, more = waiting > _MUCH, waiting < _LITTLE
            self._set(min(self._most, max(1, self.in_flight - fewer + more)), now)

    def _set(self, in_flight: int, now: float) -> None:
        self._waits.clear()
        if in_flight != self.in_flight:
            self.in_flight = in_flight
            self._changed = now
