"""What one run sends and receives, for the log: waits and retries as they come, and a sum at the end."""

from __future__ import annotations

import threading
from collections import Counter

from connector_core.http.values import HttpEvent
from connector_core.model import Level
from connector_core.store.logs import LogBuffer


class Traffic:
    """Takes each step of each request, from whichever thread sends it. ``log`` is set once the run has one."""

    def __init__(self, *, detailed: bool = False) -> None:
        """:param detailed: log each reply, too; for sittings of few requests."""
        self.log: LogBuffer | None = None
        self._detailed = detailed
        self._lock = threading.Lock()
        self._replies: Counter[str] = Counter()
        self._waited = 0.0
        self._retries = 0

    def listen(self, event: HttpEvent) -> None:
        """Note one step."""
        if event.kind == "request" or self.log is None:
            return
        with self._lock:
            self._count(event)
        if event.kind != "response" or self._detailed:
            level: Level = "debug" if event.kind == "response" else "info"
            self.log.add(level, _said(event), status=event.status, seconds=event.seconds)

    def sum_up(self) -> None:
        """Write the sums into the log and reset the counters; nothing where nothing was sent."""
        with self._lock:
            replies, self._replies = self._replies, Counter()
            waited, self._waited = self._waited, 0.0
            retries, self._retries = self._retries, 0
        if replies and self.log is not None:
            parts = [f"{count:,} answered {reply}" for reply, count in sorted(replies.items())]
            parts += [f"{retries:,} repeated"] * bool(retries) + [f"{waited:,.1f} s waited"] * bool(waited)
            self.log.add("info", f"requests: {', '.join(parts)}", replies=dict(replies), retries=retries, waited=waited)

    def _count(self, event: HttpEvent) -> None:
        if event.kind == "response":
            self._replies[str(event.status or "nothing")] += 1
        elif event.kind == "retry":
            self._retries += 1
        else:
            self._waited += event.seconds or 0.0  # of all threads together


def _said(event: HttpEvent) -> str:
    """One step in words."""
    what, seconds = f"{event.method} {event.url}", event.seconds or 0.0
    came = event.message or f"answered {event.status}"
    if event.kind == "wait":
        return f"{what}: waiting {seconds:.1f} s"
    return f"{what}: {came}, again in {seconds:.1f} s" if event.kind == "retry" else f"{what}: {came}, {seconds:.2f} s"
