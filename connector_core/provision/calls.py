"""Asking a connector's hooks: in a thread that is left behind when it outlives its time, and never writing unasked."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, NoReturn, TypeVar
from urllib.parse import urlsplit

from attrs import field, frozen

from connector_core.clock import Clock
from connector_core.errors import GuardRefused, Interrupted, PluginError
from connector_core.model import Json, Request

T = TypeVar("T")
_TICK = 0.1  # real seconds between looks at the time and at the cancel switch


class Overdue(PluginError):
    """A hook that did not come back in time; what it did is not known."""


class WriteAhead:
    """What `HttpClient` calls before an unsafe request leaves: it may, only where the calling thread was let write."""

    def __init__(self) -> None:
        self._here = threading.local()

    def __call__(self, method: str, url: str, body: bytes | None) -> None:
        ask: Callable[[Request], None] | None = getattr(self._here, "ask", None)
        if ask is None:
            raise GuardRefused(
                f"a {method} request was about to leave outside of any operation; it was stopped",
                hint="a connector marks a request that only reads with reads=True",
            )
        ask(Request(method=method, path=urlsplit(url).path, body=_readable(body)))

    @contextmanager
    def asking(self, ask: Callable[[Request], None] | None) -> Iterator[None]:
        """Have ``ask`` called, in this thread, before a request leaves it; None: none may."""
        self._here.ask = ask
        try:
            yield
        finally:
            self._here.ask = None


@frozen(kw_only=True)
class Calls:
    """How hooks are asked. ``deadline``: seconds for one; ``grace``: seconds once everything is to stop."""

    ahead: WriteAhead
    clock: Clock
    cancel: threading.Event = field(factory=threading.Event)
    deadline: float = 900.0
    grace: float = 60.0

    def __call__(self, ask: Callable[[], T], on_write: Callable[[Request], None] | None = None) -> T:
        """What ``ask`` gives. ``on_write`` is called, in this thread, before a request that writes may leave.

        :raises Overdue: it did not come back in time; from then on nothing of it leaves any more.
        :raises GuardRefused: it wanted to write, and no ``on_write`` is there to allow it.
        """
        ends, stopping = self.clock.monotonic() + self.deadline, False
        call = _HookCall(ask, self.ahead, writes=on_write is not None)
        try:
            while True:
                event = call.next(_TICK)
                if isinstance(event, Request):
                    assert on_write is not None
                    on_write(event)
                    call.allow()
                elif event is not None:
                    return event.result()
                elif self.cancel.is_set() and not stopping:
                    ends, stopping = min(ends, self.clock.monotonic() + self.grace), True
                elif self.clock.monotonic() > ends:
                    raise Interrupted("interrupted") if stopping else Overdue("the plugin did not answer in time")
        finally:
            call.close()


@frozen
class _HookResult(Generic[T]):
    """A hook that came back: ``result`` gives its answer or raises its error."""

    result: Callable[[], T]


class _HookCall(Generic[T]):
    """One hook in its thread. A request that writes waits there until this side allows it."""

    def __init__(self, ask: Callable[[], T], ahead: WriteAhead, *, writes: bool) -> None:
        self._ask = ask
        self._ahead = ahead
        self._writes = writes
        self._events: queue.SimpleQueue[Request | _HookResult[T]] = queue.SimpleQueue()
        self._allowed: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._closed = False
        threading.Thread(target=self._work, name="hook", daemon=True).start()

    def next(self, timeout: float) -> Request | _HookResult[T] | None:
        """A request that is about to leave, or the end; None when neither came within ``timeout`` real seconds."""
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            return None

    def allow(self) -> None:
        self._allowed.put(True)

    def close(self) -> None:
        self._closed = True
        self._allowed.put(False)

    def _work(self) -> None:
        try:
            with self._ahead.asking(self._wait_for_leave if self._writes else None):
                value = self._ask()
        except BaseException as error:
            raised = error
            self._events.put(_HookResult(lambda: _raise(raised)))
        else:
            self._events.put(_HookResult(lambda: value))

    def _wait_for_leave(self, request: Request) -> None:
        if not self._closed:
            self._events.put(request)
        if self._closed or not self._allowed.get():
            raise GuardRefused(f"a {request.method} request was stopped: its caller stopped waiting")


def _raise(error: BaseException) -> NoReturn:
    raise error


def _readable(body: bytes | None) -> Json:
    try:
        parsed: Json = json.loads(body) if body else None
    except ValueError:
        return body.decode("utf-8", "replace") if body else None
    return parsed
