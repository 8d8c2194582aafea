"""How far a long run is: a living line on a terminal, a line every ten seconds elsewhere, both on standard error."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

from connector_core.cli.output import clean, say

if TYPE_CHECKING:
    from connector_core.cli.program import Options
    from connector_core.http import HttpEvent
    from connector_core.sync import Progress

_EVERY = 10.0  # seconds between lines where standard error is no terminal
_AFTER = 0.5  # seconds before the living line appears: short runs stay silent


class Reporter:
    """Shows `Progress`. A context manager; safe to be told events from several threads."""

    def __init__(self, options: Options) -> None:
        self._quiet = options.quiet
        self._verbose = options.verbose
        self._live = sys.stderr.isatty() and not options.quiet
        self._status: Any = None
        self._waiting_until = 0.0
        self._last = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the living line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def progress(self, progress: Progress) -> None:
        if self._quiet:
            return
        if self._live and progress.seconds >= _AFTER:
            self._show(self._line(progress))
        elif not self._live and time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            say(self._line(progress))

    def event(self, event: HttpEvent) -> None:
        if event.kind == "wait":
            self._waiting_until = time.monotonic() + (event.seconds or 0.0)
        if self._verbose and (event.kind in ("wait", "retry") or self._verbose > 1) and not self._quiet:
            say(event.message)

    def _line(self, progress: Progress) -> str:
        total = f" of {progress.total}" if progress.total else ""
        rate = progress.resources / progress.seconds if progress.seconds > 0 else 0.0
        line = f"{progress.phase}: {progress.resources}{total} read, {progress.pages} pages, {rate:.0f}/s"
        left = self._waiting_until - time.monotonic()
        return f"{line}, waiting {left:.0f} s as the server asked" if left > 0 else line

    def _show(self, line: str) -> None:
        if self._status is None:
            from rich.console import Console

            self._status = Console(stderr=True).status("", spinner="dots")
            self._status.start()
        self._status.update(clean(line).replace("[", "\\["))
