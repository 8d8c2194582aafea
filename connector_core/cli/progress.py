"""How far a long run is: a living line on a terminal, a line every ten seconds elsewhere, both on standard error."""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from connector_core.cli.output import clean, columns, plural, say

if TYPE_CHECKING:
    from connector_core.cli.program import Options
    from connector_core.http import HttpEvent
    from connector_core.sync import Progress

_EVERY = 10.0  # seconds between lines where standard error is no terminal
_AFTER = 0.5  # seconds before the living line appears: short runs stay silent
_REDRAW = 0.2  # seconds between two looks of the living line
_SILENCE = 2.0  # seconds without a word from the server that are worth a mention
_ERASE = "\r\x1b[K"


class Reporter:
    """Shows `Progress`. A context manager.

    `event` and `interrupted` only take note, since threads and signal handlers call them; all printing is done in
    `progress`, which is called several times a second by one thread.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._living = columns("stderr") is not None and not options.quiet
        self._shown = False
        self._last = time.monotonic()
        self._heard = time.monotonic()
        self._again_at = 0.0
        self._trouble = ""
        self._waiting: deque[str] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take the living line away."""
        self._flush()
        self._erase()

    def interrupted(self) -> None:
        if not self._options.quiet:
            self._waiting.append("finishing the pages in hand; Ctrl-C again ends at once")

    def event(self, event: HttpEvent) -> None:
        now = time.monotonic()
        if event.kind == "response":
            self._heard = now
        elif event.kind == "retry":
            self._trouble = event.message or f"the server answered {event.status}"
        elif event.kind == "wait":
            self._again_at = now + (event.seconds or 0.0)
        if (line := _told(event)) and self._options.verbose >= (2 if event.kind == "response" else 1):
            self._waiting.append(line)

    def progress(self, progress: Progress) -> None:
        self._flush()
        if self._options.quiet or time.monotonic() - self._last < (_REDRAW if self._living else _EVERY):
            return
        self._last = time.monotonic()
        if not self._living:
            say(self._line(progress))
        elif progress.seconds >= _AFTER:
            self._show(self._line(progress))

    def _line(self, progress: Progress) -> str:
        total = f" of {progress.total:,}" if progress.total else ""
        rate = progress.resources / progress.seconds if progress.seconds > 0 else 0.0
        grants = f", {plural(progress.grants, 'grant')}" if progress.grants else ""
        read = f"{progress.phase}: {progress.resources:,}{total}{grants}"
        line = f"{read}, {plural(progress.pages, 'page')}, {rate:,.0f}/s"
        return f"{line}, {progress.seconds:.0f} s{self._patience()}"

    def _patience(self) -> str:
        now = time.monotonic()
        if self._again_at > now:
            return f"; {self._trouble or 'the server asked to slow down'}, again in {self._again_at - now:.0f} s"
        silence = now - max(self._heard, self._again_at)
        return f"; waiting for the server, {silence:.0f} s" if silence >= _SILENCE else ""

    def _flush(self) -> None:
        while self._waiting:
            self._erase()
            say(self._waiting.popleft())

    def _show(self, line: str) -> None:
        width = (columns("stderr") or 80) - 1  # the last column would wrap on some terminals
        self._print(_ERASE + clean(line)[:width])
        self._shown = True

    def _erase(self) -> None:
        if self._shown:
            self._print(_ERASE)
            self._shown = False

    def _print(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _told(event: HttpEvent) -> str | None:
    """A line about a step that says something new."""
    what = f"{event.method} {event.url}"
    came = event.message or event.status
    if event.kind == "response":
        return f"{what}: {came}, {event.seconds or 0.0:.2f} s"
    if event.kind == "retry":
        return f"{what}: {came}, again in {event.seconds or 0.0:.1f} s"
    return None
