"""What plugins print and log while a hook runs: kept off standard output, and put into the connection's log."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from attrs import define

from connector_core.model import Level

_here = threading.local()
_LONGEST = 2000  # characters of one message


@define
class PluginVoice:
    """Where the words of one connector go. ``mask`` hides secrets; ``log`` is set once the session has a log."""

    mask: Callable[[str], str]
    log: Callable[[Level, str], None] | None = None

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """In this thread, until the end of the block, what is printed or logged is this connector's."""
        before, _here.voice = _speaking(), self
        try:
            yield
        finally:
            _here.voice = before


class HookStdout:
    """Standard output of the command line: what a hook prints goes to standard error, so that answers stay whole."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        voice = _speaking()
        if voice is None:
            return self._out.write(text)
        if sys.stderr is not None:
            sys.stderr.write(_printable(voice.mask(text)))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out if _speaking() is None or sys.stderr is None else sys.stderr, name)


def keep_hooks_off_stdout() -> None:
    """From now on, in this process, what a hook prints goes to standard error. For programs, not for embedding."""
    if sys.stdout is not None and not isinstance(sys.stdout, HookStdout):
        sys.stdout = HookStdout(sys.stdout)


class _HookLogs(logging.Handler):
    """Takes what hooks log. Records of other threads are left to the handlers that a program has set up, or has not."""

    def emit(self, record: logging.LogRecord) -> None:
        voice = _speaking()
        if voice is not None and voice.log is not None:
            try:
                text = record.getMessage()
            except Exception:  # arguments that do not fit the message
                text = str(record.msg)
            voice.log(_level(record.levelno), f"{record.name}: {text[:_LONGEST]}")
        elif logging.lastResort is not None and record.levelno >= logging.lastResort.level and self._is_alone(record):
            logging.lastResort.handle(record)  # as it would be, were this handler not there

    def _is_alone(self, record: logging.LogRecord) -> bool:
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return False
            logger = logger.parent if logger.propagate else None
        return True


@contextmanager
def hook_logs_collected() -> Iterator[None]:
    """Until the end of the block, what hooks log goes where their `PluginVoice` says."""
    handler = _HookLogs()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def _speaking() -> PluginVoice | None:
    voice: PluginVoice | None = getattr(_here, "voice", None)
    return voice


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)
