"""Ctrl-C and SIGTERM: the first one asks to stop, so that the page in hand is finished; a second ends at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_ENDED = 130


@contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Within it, the first SIGINT or SIGTERM calls ``stop``, which must be quick and print nothing."""
    with stopping(lambda number: stop()):
        yield


@contextmanager
def stopping(stop: Callable[[int], None]) -> Iterator[None]:
    """The same; ``stop`` receives the number of the signal."""

    def first(number: int, frame: FrameType | None) -> None:
        for again in before:
            signal.signal(again, lambda *_: os._exit(_ENDED))
        stop(number)

    before = {number: signal.signal(number, first) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def on_hangup(call: Callable[[], None]) -> Iterator[None]:
    """Within it, SIGHUP calls that; where the system has no such signal, nothing does."""
    number = getattr(signal, "SIGHUP", None)
    before = None if number is None else signal.signal(number, lambda *_: call())
    try:
        yield
    finally:
        if number is not None:
            signal.signal(number, before)
