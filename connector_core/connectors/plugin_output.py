"""What plugins print and log: kept off standard output, masked, and what is logged put into the connection's log.

Not promised: what they write past Python's streams (file descriptors, other processes), and what they print at exit.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO
from weakref import WeakSet

from attrs import define, frozen

from connector_core.model import Level

_here = threading.local()
_LONGEST = 2000  # characters of one message


@define(eq=False)
class PluginVoice:
    """Where the words of one connector go. ``mask`` hides secrets; ``log`` is set once the session has a log."""

    mask: Callable[[str], str]
    log: Callable[[Level, str], None] | None = None

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """In this thread, until the end of the block, what is printed or logged is this connector's."""
        before, _here.voice = _speaking(), self
        with _known_lock:
            _known.add(self)
        try:
            yield
        finally:
            _end_line(self)
            _here.voice = before


_known: WeakSet[PluginVoice] = WeakSet()  # what a plugin's own threads print is masked by all of them
_known_lock = threading.Lock()


class HookStream:
    """A standard stream of the command line, for as long as plugins run in it.

    What a hook prints goes to standard error, line by line, masked; what threads other than the main one print, too.
    """

    def __init__(self, own: TextIO) -> None:
        self.own = own

    def write(self, text: str) -> int:
        voice = _speaking()
        if voice is not None:
            _say(voice, text)
        elif self._is_for_stderr():
            _print(_masked(text))
        else:
            return self.own.write(text)
        return len(text)

    @property
    def buffer(self) -> Any:
        return self.own.buffer if _speaking() is None else _HookBuffer(self)

    def _is_for_stderr(self) -> bool:
        """Whether what no hook prints is to go there: answers are printed by the main thread alone."""
        return threading.current_thread() is not threading.main_thread()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own if _speaking() is None else _stderr() or self.own, name)


class HookStderr(HookStream):
    """Standard error: as it is in the main thread, masked elsewhere, so that a thread's traceback shows no secret."""

    def write(self, text: str) -> int:
        if _speaking() is not None or not self._is_for_stderr():
            return super().write(text)
        self.own.write(_masked(text))  # control characters stay: a progress bar has a thread of its own
        return len(text)


@frozen
class _HookBuffer:
    """The bytes under a stream, for a hook that writes there."""

    _stream: HookStream

    def write(self, data: bytes) -> int:
        self._stream.write(bytes(data).decode("utf-8", "replace"))
        return len(data)

    def flush(self) -> None:
        self._stream.flush()


def keep_hooks_off_stdout() -> None:
    """From now on, in this process, what a hook prints goes to standard error. For programs, not for embedding."""
    if sys.stdout is not None and not isinstance(sys.stdout, HookStream):
        sys.stdout = HookStream(sys.stdout)
    if sys.stderr is not None and not isinstance(sys.stderr, HookStream):
        sys.stderr = HookStderr(sys.stderr)


def _say(voice: PluginVoice, text: str) -> None:
    """Print what a hook prints, once its line has ended: a secret may come in two pieces."""
    lines, newline, rest = (getattr(_here, "line", "") + text).rpartition("\n")
    _here.line = rest
    _print(voice.mask(lines + newline))


def _end_line(voice: PluginVoice) -> None:
    if getattr(_here, "line", ""):
        _say(voice, "\n")


def _masked(text: str) -> str:
    with _known_lock:
        voices = list(_known)
    for voice in voices:
        text = voice.mask(text)
    return text


def _print(text: str) -> None:
    if text and (stream := _stderr()) is not None:
        stream.write(_printable(text))


def _stderr() -> TextIO | None:
    return sys.stderr.own if isinstance(sys.stderr, HookStream) else sys.stderr


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
