"""How fast requests leave under a limit that was set, and under one that shows itself by refusing.

The application and its clock are simulated, so that five minutes take a moment and each figure is the same every time.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from connector_core.http.limits import RateLimit, RateLimits
from connector_core.testing import FakeClock

MINUTES = 5
RATE = 20

Door = Callable[[float], bool]
"""Whether an application lets a request through that comes at a moment."""


def bucket(burst: float = RATE) -> Door:
    """A bucket that fills at `RATE` and holds ``burst``."""
    tokens, last = burst, 0.0

    def door(at: float) -> bool:
        nonlocal tokens, last
        tokens, last = min(burst, tokens + (at - last) * RATE), at
        if tokens < 1:
            return False
        tokens -= 1
        return True

    return door


def sliding(seconds: float) -> Door:
    """At most so many in any stretch of ``seconds``."""
    times: deque[float] = deque()

    def door(at: float) -> bool:
        while times and times[0] <= at - seconds:
            times.popleft()
        if len(times) >= RATE * seconds:
            return False
        times.append(at)
        return True

    return door


def run(
    door: Door, limit: RateLimit, clock: FakeClock, *, in_flight: int, latency: float, told: float
) -> tuple[int, int]:
    """Ask for `MINUTES`, ``in_flight`` at once; how many were let through, and how many refused.

    ``told``: the seconds that a refusal asks to wait; refusals in a row wait longer, as ours do. Each reply takes
    ``latency``; on the way there half of it.
    """
    events = [(0.0, n, "turn") for n in range(in_flight)]
    let_through = refused = in_a_row = 0
    sent = [0.0] * in_flight
    while events[0][0] < MINUTES * 60:
        at, who, what = heapq.heappop(events)
        clock.advance(at - clock.monotonic())
        if what == "turn":
            wait = limit.remaining() or limit.turn()
            heapq.heappush(events, (at + wait, who, "turn" if limit.remaining() else "send"))
        elif what == "send" and limit.remaining():  # closed meanwhile
            heapq.heappush(events, (at, who, "turn"))
        elif what == "send":
            sent[who] = at
            heapq.heappush(events, (at + latency / 2, who, "arrive"))
        elif what == "arrive":
            heapq.heappush(events, (at + latency / 2, who, "through" if door(at) else "refused"))
        else:
            if what == "through":
                let_through += 1
                in_a_row = 0
                limit.let_through()
            else:
                refused += 1
                in_a_row += 1
                limit.refused(sent[who])
                limit.close_for(max(told, min(20, 0.25 * 2**in_a_row)))
            heapq.heappush(events, (at, who, "turn"))
    return let_through, refused


@pytest.mark.parametrize(("in_flight", "latency"), [(1, 0.002), (8, 0.002), (8, 0.05), (8, 0.3)])
@pytest.mark.parametrize(
    "kind", [(bucket, RATE), (bucket, 2), (sliding, 1), (sliding, 60)], ids=lambda kind: f"{kind[0].__name__} {kind[1]}"
)
def test_a_limit_that_was_set_is_used_and_never_passed(kind: Any, in_flight: int, latency: float) -> None:
    """At least 90 % of it is used, and no request is refused."""
    make, size = kind
    clock = FakeClock()
    let_through, refused = run(make(size), RateLimit(clock, RATE), clock, in_flight=in_flight, latency=latency, told=1)
    assert (let_through / (RATE * 60 * MINUTES) >= 0.9, refused) == (True, 0)


@pytest.mark.parametrize("told", [1.0, 0.25], ids=["Retry-After", "a wait of our own"])
@pytest.mark.parametrize(("in_flight", "latency"), [(1, 0.002), (8, 0.002), (8, 0.05), (8, 0.3)])
@pytest.mark.parametrize("burst", [RATE, 5, 2])
def test_a_limit_that_nobody_told_of_is_found(burst: int, in_flight: int, latency: float, told: float) -> None:
    """At least 75 % of it is used, and at most 2 % are refused."""
    clock = FakeClock()
    let_through, refused = run(bucket(burst), RateLimit(clock), clock, in_flight=in_flight, latency=latency, told=told)
    assert let_through / (RATE * 60 * MINUTES) >= 0.75
    assert refused / (let_through + refused) <= 0.02


@pytest.mark.parametrize("window", [1, 10])
def test_a_limit_by_the_window_is_found(window: int) -> None:
    """The same where the application counts what came in the last seconds."""
    clock = FakeClock()
    let_through, refused = run(sliding(window), RateLimit(clock), clock, in_flight=8, latency=0.05, told=1)
    assert let_through / (RATE * 60 * MINUTES) >= 0.75
    assert refused / (let_through + refused) <= 0.02


def test_no_limit_is_no_wait() -> None:
    """Where nothing was set and nothing was refused, nobody waits."""
    limit = RateLimit(FakeClock())
    assert [limit.turn() for _ in range(1000)] == [0.0] * 1000


def test_the_first_request_of_all_refused_says_nothing_about_a_pace() -> None:
    """Only what the application lets through shows how much that is."""
    clock = FakeClock()
    limit = RateLimit(clock)
    limit.refused(clock.monotonic())
    assert limit.turn() == 0.0


def test_refusals_of_requests_that_were_under_way_count_once() -> None:
    """Eight that left together and were refused together are one refusal."""
    clock = FakeClock()
    limits = []
    for refusals in (1, 8):
        limit = RateLimit(clock)
        for _ in range(10):
            limit.let_through()
        sent = clock.monotonic()
        clock.advance(0.5)
        for _ in range(refusals):
            limit.refused(sent)
        limits.append(limit.turn())
    assert limits[0] == limits[1] > 0


def test_a_limit_that_was_set_and_refuses_all_the_same_is_lowered() -> None:
    """Somebody else may use the same limit: who is refused goes slower than what was set."""
    clock = FakeClock()
    limit = RateLimit(clock, 2 * RATE)
    let_through, refused = run(bucket(5), limit, clock, in_flight=8, latency=0.05, told=1)
    assert let_through / (RATE * 60 * MINUTES) >= 0.75
    assert refused / (let_through + refused) <= 0.02


def test_a_pace_never_grows_past_a_limit_that_was_set() -> None:
    """Hours later the requests are as far apart as in the beginning."""
    clock = FakeClock()
    limit = RateLimit(clock, 10)
    for _ in range(100):
        clock.advance(100)
        assert limit.turn() == 0.0
        assert math.isclose(limit.turn(), 1 / 9.5)


def test_limits_have_names() -> None:
    """What is set for one name leaves the others as they are."""
    clock = FakeClock()
    limits = RateLimits(clock)
    limits.set("reads", 1)
    limits["reads"].turn()
    assert limits["reads"].turn() > 0
    limits["writes"].turn()
    assert limits["writes"].turn() == 0
