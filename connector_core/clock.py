"""Time, injected: everything that waits or tells the time is given a `Clock`, so that no test waits."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol

from connector_core.errors import Interrupted


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Seconds since 1970, UTC; may jump when somebody sets the clock."""

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
