"""`run --every`: connections run repeatedly, each on its own schedule, until the process is stopped."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any

from attrs import define, field

from connector_core.cli.output import error_member, note, print_json_line, say
from connector_core.cli.program import Options
from connector_core.cli.signals import on_hangup, stopping
from connector_core.clock import SystemClock, rfc3339
from connector_core.errors import Busy, ConnectorCoreError, Interrupted, RateLimited, UsageError
from connector_core.fleet.schedule import Rhythm, Schedule
from connector_core.host.host import Host
from connector_core.model import SyncReport

_INTERRUPTED = 130
Names = Callable[[Host], list[str]]
Shown = Callable[[SyncReport], tuple[str, dict[str, Any]]]


@define
class _FinishedRun:
    """A run that came to its end: with a report, an error, or both."""

    name: str
    report: SyncReport | None = None
    error: ConnectorCoreError | None = None

    @property
    def ok(self) -> bool:
        """Whether it did what it should. Somebody else's run of the same connection is as good as our own."""
        return isinstance(self.error, Busy) or (self.error is None and self.report is not None)

    @property
    def wait(self) -> float:
        return (self.error.retry_after or 0.0) if isinstance(self.error, RateLimited) else 0.0


@define
class ScheduledRuns:
    """Runs what is due, each in a thread, and tells what came of it.

    Signal handlers and threads only put what happened into ``events``; everything else is done by `keep` alone.

    :param names: which connections, asked again when the configuration was read anew.
    :param shown: what is printed of a report, as text and as JSON.
    """

    options: Options
    rhythm: Rhythm
    names: Names
    shown: Shown
    workers: int | None = None
    _events: queue.SimpleQueue[_FinishedRun | int | None] = field(factory=queue.SimpleQueue, init=False)
    _hosts: list[Host] = field(factory=list, init=False)  # the last one is in use, earlier ones while a run needs them
    _threads: dict[str, threading.Thread] = field(factory=dict, init=False)
    _schedule: Schedule = field(init=False)

    def keep(self) -> int:
        """Until SIGTERM (then 0) or SIGINT (then 130); both let the pages in hand be finished.

        :raises UsageError, ConfigurationError: it cannot even begin.
        """
        self._schedule = Schedule(self.rhythm, SystemClock(), Random())  # noqa: S311 - jitter is no secret
        self._read()
        with stopping(self._events.put), on_hangup(lambda: self._events.put(None)):
            number = self._work()
            for host in self._hosts:
                host.cancel()
            while self._threads:
                self._take(self._events.get())
        for name in self._names():
            self._tell_next(name, None)
        return 0 if number == signal.SIGTERM else _INTERRUPTED

    def _work(self) -> int:
        """Until a signal ends it; which one."""
        while True:
            for name in self._schedule.due():
                self._begin(name)
            try:
                event = self._events.get(timeout=self._schedule.wait())
            except queue.Empty:
                continue
            if isinstance(event, int):
                return event
            self._take(event)

    def _take(self, event: _FinishedRun | int | None) -> None:
        if isinstance(event, _FinishedRun):
            self._threads.pop(event.name).join()
            self._schedule.ended(event.name, ok=event.ok, wait=event.wait)
            self._tell(event)
        elif event is None:
            self._read_again()

    # -- the configuration -----------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read the configuration; nothing changes where it is wrong."""
        host = self.options.host()
        names = self.names(host)
        if not names:
            raise UsageError("no connection is configured", hint="connector-core add whimsical sets one up")
        for name in names:
            host.connection(name).require_settings()
        self._hosts.append(host)
        self._schedule.keep(names)

    def _read_again(self) -> None:
        try:
            self._read()
        except ConnectorCoreError as error:
            self._complain(error, "the configuration stays as it was")
        else:
            self.options.remark("read the configuration anew")

    def _names(self) -> list[str]:
        return self.names(self._hosts[-1])

    # -- one run -----------------------------------------------------------------------------------------------

    def _begin(self, name: str) -> None:
        self._schedule.began(name)
        thread = self._threads[name] = threading.Thread(target=self._run, args=(name, self._hosts[-1]), name=name)
        thread.daemon = True  # one that never comes back does not keep the program alive
        thread.start()

    def _run(self, name: str, host: Host) -> None:
        """In a thread of its own."""
        ended = _FinishedRun(name)
        try:
            ended.report = host.connection(name).sync(workers=self.workers)
        except ConnectorCoreError as error:
            ended.error, ended.report = error, error.report
        except BaseException as error:
            ended.error = ConnectorCoreError(f"unexpected {type(error).__name__}", hint="please report it")
        self._events.put(ended)

    # -- telling -----------------------------------------------------------------------------------------------

    def _tell(self, ended: _FinishedRun) -> None:
        if isinstance(ended.error, Interrupted):
            self.options.remark(f"{ended.name}: interrupted; the next run within an hour goes on from there")
            return
        next_run = self._schedule.next_run(ended.name)
        self._tell_next(ended.name, next_run)
        text, document = self.shown(ended.report) if ended.report is not None else ("", {"connection": ended.name})
        if self.options.json:
            error = error_member(ended.error) if ended.error is not None else {}
            print_json_line({**document, **error, "next_run": next_run and rfc3339(next_run)})
        elif ended.error is not None:
            self._complain(ended.error, ended.name)
        else:
            note(text)
        if next_run is not None:
            when = datetime.fromtimestamp(next_run, UTC)
            self.options.remark(f"{ended.name}: next run {when:%Y-%m-%d %H:%M:%S} UTC")

    def _tell_next(self, name: str, at: float | None) -> None:
        """For who watches; that it cannot be told is told by the runs themselves."""
        with suppress(ConnectorCoreError):
            self._hosts[-1].connection(name).schedule(at)

    def _complain(self, error: ConnectorCoreError, what: str) -> None:
        say(f"error: {what}: {error.message}")
        if error.hint:
            say(f"hint: {error.hint}")
