"""Syncs of many connections, each at its own times, until they are stopped: the loop behind `run --every`."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Protocol

from attrs import define, field

from connector_core.clock import SystemClock
from connector_core.errors import Busy, ConfigurationChanged, ConnectorCoreError, Interrupted, RateLimited, UsageError
from connector_core.fleet.schedule import Rhythm, Schedule
from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.model import SyncReport

_READINGS = 3  # of the configuration, for one sync


@define
class FinishedRun:
    """A sync that ended: with a report, an error, or both."""

    name: str
    report: SyncReport | None = None
    error: ConnectorCoreError | None = None

    @property
    def ok(self) -> bool:
        """Whether it did what it should. Another process's sync of the same connection is as good as our own."""
        return isinstance(self.error, Busy) or (self.error is None and self.report is not None)

    @property
    def wait(self) -> float:
        return (self.error.retry_after or 0.0) if isinstance(self.error, RateLimited) else 0.0


class Watcher(Protocol):
    """What is shown of scheduled runs. Called by the thread that runs the loop."""

    def finished(self, run: FinishedRun, next_run: float | None) -> None:
        """A sync ended; ``next_run`` is in seconds since 1970, or None where none is planned."""

    def reread(self, error: ConnectorCoreError | None) -> None:
        """The configuration was read again; with an error, it stays as it was."""


@define
class ScheduledRuns:
    """Syncs what is due, each connection in a thread.

    Signal handlers and threads only put what happened into ``events``; everything else is done by `run` alone.

    :param open_host: opens a host with the configuration as it is then; called for each sync.
    :param names: which connections, asked whenever the configuration was read.
    """

    open_host: Callable[[], Host]
    rhythm: Rhythm
    names: Callable[[Host], list[str]]
    watcher: Watcher
    workers: int | None = None
    _events: queue.SimpleQueue[FinishedRun | int | None] = field(factory=queue.SimpleQueue, init=False)
    _host: Host = field(init=False)  # of the names
    _opened: dict[str, Host] = field(factory=dict, init=False)  # of the last run of each connection
    _stopped: bool = field(default=False, init=False)
    _threads: dict[str, threading.Thread] = field(factory=dict, init=False)
    _schedule: Schedule = field(init=False)

    def stop(self, number: int) -> None:
        """End `run` with that number once the pages in hand are finished; may be called by a signal handler."""
        self._events.put(number)

    def read_again(self) -> None:
        """Read the configuration again, soon; may be called by a signal handler."""
        self._events.put(None)

    def begin(self) -> None:
        """Read the configuration.

        :raises UsageError, ConfigurationError: no connection can be run.
        """
        self._schedule = Schedule(self.rhythm, SystemClock(), Random())  # noqa: S311 - jitter is no secret
        self._read()

    def run(self) -> int:
        """Run what is due, after `begin`, until `stop` is called; return the number that it was given."""
        number = self._work()
        self._stopped = True
        for host in [*self._opened.values()]:
            host.cancel()
        while self._threads:
            self._take(self._events.get())
        for name in self.names(self._host):
            self._keep_next_run(name, None)
        return number

    def _work(self) -> int:
        while True:
            for name in self._schedule.due():
                self._start(name)
            try:
                event = self._events.get(timeout=self._schedule.wait())
            except queue.Empty:
                continue
            if isinstance(event, int):
                return event
            self._take(event)

    def _take(self, event: FinishedRun | int | None) -> None:
        if isinstance(event, FinishedRun):
            self._threads.pop(event.name).join()
            self._schedule.ended(event.name, ok=event.ok, wait=event.wait)
            next_run = self._schedule.next_run(event.name)
            if not isinstance(event.error, Interrupted):
                self._keep_next_run(event.name, next_run)
            self.watcher.finished(event, next_run)
        elif event is None:
            self._read_again()

    # -- the configuration -----------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read the configuration; nothing changes where it is wrong."""
        host = self.open_host()
        names = self.names(host)
        if not names:
            raise UsageError("no connection is configured", hint="connector-core add whimsical sets one up")
        for name in names:
            host.connection(name).require_settings()
        self._host = host
        self._schedule.keep(names)

    def _read_again(self) -> None:
        error = None
        try:
            self._read()
        except ConnectorCoreError as caught:
            error = caught
        self.watcher.reread(error)

    # -- one sync ----------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        self._schedule.began(name)
        thread = self._threads[name] = threading.Thread(target=self._sync, args=(name,), name=name)
        thread.daemon = True  # one that never comes back does not keep the program alive
        thread.start()

    def _sync(self, name: str) -> None:
        """Sync one connection, in a thread of its own."""
        ended = FinishedRun(name)
        try:
            ended.report = self._synced(name)
        except ConnectorCoreError as error:
            ended.error, ended.report = error, error.report
        except BaseException as error:
            ended.error = ConnectorCoreError(f"unexpected {type(error).__name__}", hint="please report it")
        self._events.put(ended)

    def _synced(self, name: str) -> SyncReport:
        """Sync with addresses and secrets of one reading of the configuration, which is read for each sync.

        :raises ConfigurationChanged: it is changed faster than it can be read.
        """
        for _ in range(_READINGS - 1):
            with suppress(ConfigurationChanged):
                return self._connection(name).sync(workers=self.workers)
        return self._connection(name).sync(workers=self.workers)

    def _connection(self, name: str) -> Connection:
        host = self._opened[name] = self.open_host()
        if self._stopped:
            host.cancel()
        return host.connection(name)

    def _keep_next_run(self, name: str, at: float | None) -> None:
        """Keep in the state when the next run is, for monitoring; a run shows by itself where that fails."""
        with suppress(ConnectorCoreError):
            self._opened.get(name, self._host).connection(name).schedule(at)
