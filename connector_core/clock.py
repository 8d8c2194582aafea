"""Time, injected: everything that waits or tells the time is given a `Clock`, so that no test waits."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from connector_core.errors import Interrupted

T = TypeVar("T")
_TICK = 0.05  # seconds between looks at the cancel switch


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Seconds since 1970, UTC; jumps when the clock is set."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    def sleep(self, seconds: float, cancel: threading.Event | None = None) -> None:
        """Wait; raise `Interrupted` at once when ``cancel`` is set before or meanwhile."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, cancel: threading.Event | None = None) -> None:
        if cancel is None:
            time.sleep(max(0.0, seconds))
        elif cancel.wait(max(0.0, seconds)):
            raise Interrupted("interrupted while waiting")


def rfc3339(seconds: float) -> str:
    """Seconds since 1970 as ``2026-01-31T12:00:00.123Z``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_time(text: str | None) -> str | None:
    """Return a time with an offset (RFC 3339) in UTC, with a ``Z``; None where it is no such time."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return None
        return text if _IN_UTC.fullmatch(text) else rfc3339(moment.timestamp())
    except (ValueError, OverflowError):
        return None


_IN_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", re.ASCII)


def within(seconds: float, call: Callable[[], T], cancel: threading.Event | None = None) -> T:
    """Call in a thread of its own, which is left behind when it outlives its time: a plugin may never come back.

    Real seconds, since it is a real thread that is waited for.

    :raises TimeoutError: it took longer.
    :raises Interrupted: ``cancel`` was set meanwhile.
    """
    results: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()
    threading.Thread(target=lambda: results.put(_caught(call)), daemon=True).start()
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if cancel is not None and cancel.is_set():
            raise Interrupted("interrupted")
        try:
            result = results.get(timeout=min(left, _TICK) if cancel else left)
        except queue.Empty:
            continue
        return result()
    raise TimeoutError(f"no answer within {seconds:g} seconds")


def _caught(call: Callable[[], T]) -> Callable[[], T]:
    """What calling came to, for another thread: gives the answer, or raises."""
    try:
        answer = call()
    except BaseException as error:
        return lambda error=error: _raise(error)  # type: ignore[misc]
    return lambda: answer


def _raise(error: BaseException) -> Any:
    raise error
