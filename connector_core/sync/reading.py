"""Read until nothing is open: cursors out to the reader threads, their pages into the store, errors dealt with."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from typing import Self

from attrs import Factory, evolve, frozen

from connector_core.clock import Clock
from connector_core.connectors.connector import Connector
from connector_core.connectors.limits import storable
from connector_core.errors import (
    ApplicationError,
    ConnectorCoreError,
    Interrupted,
    PluginError,
    RateLimited,
    RowRejected,
    StreamExpired,
    Unreachable,
)
from connector_core.model import Manifest, Page
from connector_core.store.frontier import Task
from connector_core.store.logs import LogBuffer
from connector_core.store.staging import Staging
from connector_core.sync.guard import Guard
from connector_core.sync.pacing import Pace
from connector_core.sync.readers import Read, Readers

_UNSTORABLE = (
    TypeError, AttributeError, ValueError, OverflowError,
    sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError,
)  # fmt: skip
_OF_ONE_STREAM = (ApplicationError, RowRejected, PluginError)  # what may be wrong with one stream alone
_TICK = 0.1  # real seconds between looks at the cancel switch


@frozen(kw_only=True)
class SyncPolicy:
    """What a sync may do; times in seconds.

    ``resume_within``: an interrupted sync older than this is not resumed. ``restarts``: how often a stream whose
    cursors expired is restarted (P13). ``max_lookups``: no more resources than this are read one by one to compare
    two readings. ``max_pages``: a server that always has one more page ends there (P16). ``page_tries``: how often a
    page of a child stream is asked for before it is given up. ``silence``: after so many pages in a row that were given
    up because the application was not reached, or asked to slow down, the sync fails. ``call_deadline``: a page that
    takes longer fails the sync. ``grace``: how long pages in hand are waited for once a sync has failed or was
    interrupted.
    """

    resume_within: float = 3600.0
    restarts: int = 3
    max_lookups: int = 500
    max_pages: int = 200_000
    page_tries: int = 3
    silence: int = 5
    call_deadline: float = 900.0
    grace: float = 60.0
    guard: Guard = Factory(Guard)


@frozen(kw_only=True)
class Progress:
    """How far a sync is: ``pages``, ``resources`` and ``grants`` read by this process so far.

    ``total``: how many resources there are, as the application says.
    """

    phase: str
    pages: int
    resources: int
    requests: int
    total: int | None
    seconds: float
    grants: int = 0


@frozen(kw_only=True)
class SyncContext:
    """What a sync is carried out with. ``requests`` counts those sent by this process, ``refusals`` the 429s."""

    connector: Connector
    client: object
    manifest: Manifest
    requests: Callable[[], int]
    refusals: Callable[[], int]
    workers: int
    clock: Clock
    log: LogBuffer
    policy: SyncPolicy
    cancel: threading.Event
    on_progress: Callable[[Progress], None] | None = None


@frozen
class _Stop:
    """Why reading stops, and since when."""

    error: ConnectorCoreError
    since: float


class PageReader:
    """A context manager: the reader threads end with it. Used by one thread."""

    def __init__(self, staging: Staging, means: SyncContext) -> None:
        self._staging = staging
        self._means = means
        self._clock = means.clock
        self._readers = Readers(means.workers, self._ask, means.clock)
        self._pace = Pace(means.workers)
        self._refusals = means.refusals()
        self._reported = 0
        self._tries: Counter[int] = Counter()  # of pages that were not answered, by task
        self._silent = 0  # pages in a row that were given up because the application was not reached
        self._progress = Progress(phase="", pages=0, resources=0, requests=0, total=None, seconds=0.0)
        self._began = means.clock.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._readers.close()

    def drain(self, phase: str) -> None:
        """Ask for every open cursor, several at once, and commit what comes, until none is open.

        After a failure or a cancel nothing more is asked for; pages in hand are still committed.

        :raises ConnectorCoreError: the first failure, or `Interrupted`.
        """
        self._progress = evolve(self._progress, phase=phase)
        stop: _Stop | None = None
        while True:
            if stop is None and self._means.cancel.is_set():
                stop = self._stop(Interrupted("interrupted", hint="the same command resumes it"))
            if stop is None:
                self._dispatch()
            if not self._readers.busy or (stop and self._clock.monotonic() - stop.since > self._means.policy.grace):
                break
            failure = self._take()
            self._tell()
            if failure is not None and stop is None:
                stop = self._stop(failure)
        if stop is not None:
            raise stop.error

    def new_requests(self) -> int:
        """Requests since the last time that this was asked."""
        requests = self._means.requests()
        new, self._reported = requests - self._reported, requests
        return new

    @property
    def resources(self) -> int:
        """How many this process has read so far."""
        return self._progress.resources

    def _stop(self, error: ConnectorCoreError) -> _Stop:
        return _Stop(error, self._clock.monotonic())

    def _dispatch(self) -> None:
        free = self._pace.in_flight - len(self._readers.busy)
        if free > 0:
            asked = self._staging.newest_mark()
            for task in self._open_tasks(free):
                self._readers.ask(task, asked)

    def _open_tasks(self, limit: int) -> list[Task]:
        """The next open cursors; those that were not answered come after all others."""
        frontier, busy = self._staging.frontier, self._readers.busy
        tasks = frontier.open_tasks(limit, {*busy, *self._tries})
        return tasks or (frontier.open_tasks(limit, busy) if self._tries else [])

    def _keep_pace(self, read: Read) -> None:
        """Learn from an answer how many to ask for at once."""
        refusals = self._means.refusals()
        if refusals > self._refusals:
            self._refusals = refusals
            self._pace.refused(read.begun, read.ended)
        else:
            self._pace.answered(read.task.stream, read.begun, read.ended)

    def _take(self) -> ConnectorCoreError | None:
        read = self._readers.next(_TICK)
        if read is None:
            self._staging.keep_log()
            if self._readers.longest() > self._means.policy.call_deadline:
                raise PluginError(f"the plugin {self._means.connector.name} did not answer in time")
            return None
        self._keep_pace(read)
        if not self._staging.frontier.is_open(read.task):  # its stream has ended, or was restarted, meanwhile
            return None
        if read.error is not None:
            return self._failed(read.task, read.error)
        if read.task.key is None:
            return self._commit_page(read)
        self._commit_lookup(read)
        return None

    # -- what came -----------------------------------------------------------------------------------------

    def _commit_page(self, read: Read) -> ConnectorCoreError | None:
        assert read.page is not None
        try:
            fresh = self._staging.commit_page(read.task, read.page, read.asked, self.new_requests())
        except _UNSTORABLE as error:  # nothing of it was kept; looking at every text beforehand would cost more
            name = self._means.connector.name
            kept = storable(read.page, f"sync_page of the plugin {name}")
            if kept is not read.page:
                return self._commit_page(evolve(read, page=kept))
            where = f"a page of {read.task.stream!r} holds what no store can take ({type(error).__name__})"
            return self._failed(read.task, PluginError(f"the plugin {name} broke its contract: {where}"))
        self._log_troubles(read.page, read.task.stream)
        self._tries.pop(read.task.id, None)  # a page that cannot be kept is tried as often as others
        self._silent = 0
        now, total = self._progress, read.page.total
        self._progress = evolve(
            now, pages=now.pages + 1, resources=now.resources + fresh, grants=now.grants + len(read.page.grants),
            total=now.total if total is None else total,
        )  # fmt: skip
        if self._progress.pages > self._means.policy.max_pages:
            return ApplicationError(f"the application's list did not end within {now.pages} pages")
        return None

    def _commit_lookup(self, read: Read) -> None:
        """Take over what a look-up brought; a page without the resource asked for proves nothing."""
        page, key = read.page, read.task.key
        if page is not None:
            self._log_troubles(page, read.task.stream)
        if page is None or key in {r.key for r in page.resources} | {r.key for r in page.rejected}:
            self._staging.commit_resource(read.task, page, read.asked, self.new_requests())
        else:
            self._log_warning(f"{key} could not be looked up: the connector answered with something else")
            self._staging.fail_lookup(read.task, self.new_requests())

    def _failed(self, task: Task, error: BaseException) -> ConnectorCoreError | None:
        """An error that ends the sync, or None where it was dealt with."""
        if isinstance(error, StreamExpired) and task.key is None:
            return self._restart(task, error)
        if task.key is not None and isinstance(error, ApplicationError | RowRejected):
            self._log_warning(f"{task.key} could not be looked up: {error}")
            hopeless = isinstance(error, Unreachable | RateLimited)  # the others would take as long, one by one
            self._staging.fail_lookup(task, self.new_requests(), all=hopeless)
            return None
        if not isinstance(error, ConnectorCoreError):
            error = PluginError(f"reading failed: {type(error).__name__}: {error}")
        if task.key is None and isinstance(error, _OF_ONE_STREAM) and not self._staging.frontier.is_first(task.stream):
            return self._page_failed(task, error)
        return error

    def _page_failed(self, task: Task, error: ConnectorCoreError) -> ConnectorCoreError | None:
        """A child stream fails no other: its page is asked for again, later, and in the end given up."""
        self._tries[task.id] += 1
        if self._tries[task.id] < self._means.policy.page_tries:
            self._log_warning(f"{task.stream}: {error}; asking again")
            return None
        self._log_warning(f"{task.stream}: {error}; given up, what it gave before stands")
        del self._tries[task.id]
        self._staging.fail_page(task, self.new_requests())
        self._silent = self._silent + 1 if isinstance(error, Unreachable | RateLimited) else 0
        return error if self._silent >= self._means.policy.silence else None

    def _restart(self, task: Task, error: StreamExpired) -> ConnectorCoreError | None:
        if self._staging.restart(task, self.new_requests()) > self._means.policy.restarts:
            if self._staging.frontier.is_first(task.stream):
                return error
            self._staging.fail_page(task, self.new_requests())
            self._log_warning(f"{task.stream}: its cursors keep expiring; given up, what it gave before stands")
            return None
        self._log_warning(f"{task.stream}: its cursors expired; reading it from its beginning")
        return None

    def _log_troubles(self, page: Page, stream: str) -> None:
        for message in page.warnings:
            self._log_warning(message)
        place = f"{stream}: " if stream else ""
        rejected = (f"{place}row rejected{f' ({row.key})' if row.key else ''}: {row.reason}" for row in page.rejected)
        for message in dict.fromkeys(rejected):  # rows of a type that is not declared have one reason
            self._log_warning(message)

    def _log_warning(self, message: str) -> None:
        self._means.log.add("warning", message)

    def _ask(self, task: Task) -> Page | None:
        """Runs in a reader thread."""
        connector, client = self._means.connector, self._means.client
        if task.resource is not None:
            return connector.sync_resource(client, task.resource)
        return connector.sync_page(client, task.cursor if task.stream else None)

    def _tell(self) -> None:
        if self._means.on_progress is not None:
            seconds = self._clock.monotonic() - self._began
            self._means.on_progress(evolve(self._progress, requests=self._means.requests(), seconds=seconds))
