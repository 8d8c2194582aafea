"""Following the log while others write it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from connector_core.clock import Clock
from connector_core.errors import NoPicture
from connector_core.model import Level, LogLine
from connector_core.store.queries import Reader

_EVERY = 0.5  # seconds between looks
_BEHIND = 10  # lines of what was before, so that who begins to follow sees where they are

Opened = Callable[[], AbstractContextManager[Reader]]


def follow(
    opened: Opened, clock: Clock, cancel: threading.Event, *, event: int | None, level: Level
) -> Iterator[LogLine]:  # fmt: skip
    """Lines as they come; with ``event``, all of that sync or operation, until it has ended.

    :raises UnknownName: there is no such event.
    :raises Interrupted: ``cancel`` was set.
    """
    seen, newest = 0, _BEHIND if event is None else None
    while True:
        over, found = _look(opened, event, level, seen, newest)
        yield from (line for _, line in found)
        if over:
            return
        seen, newest = found[-1][0] if found else seen, None
        clock.sleep(_EVERY, cancel)


def _look(
    opened: Opened, event: int | None, level: Level, after: int, newest: int | None
) -> tuple[bool, tuple[tuple[int, LogLine], ...]]:
    """Whether it is over, and the lines since; in this order, so that none is written in between and missed."""
    try:
        with opened() as reader:
            over = event is not None and reader.is_over(reader.logged(event))
            return over, reader.numbered_logs(event, level=level, after=after, newest=newest)
    except NoPicture:  # nothing was ever synced, yet: that is what one waits for
        if event is not None:
            raise
        return False, ()
