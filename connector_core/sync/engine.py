"""The phases of a sync: read, read again where rows moved, compare, guard, confirm what is missing, publish.

Every phase is left only when the frontier is empty, and each step from one to the next can be repeated: so a sync that
died goes on from where it was, whichever phase that was.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable

from attrs import Factory, frozen

from connector_core.clock import Clock
from connector_core.errors import (
    ApplicationError,
    ConnectorCoreError,
    CredentialsRefused,
    Interrupted,
    PluginError,
    StreamExpired,
)
from connector_core.model import Manifest, Page, Resource, SyncStatus
from connector_core.plugins import Connector
from connector_core.store import runs
from connector_core.store.connections import put_resource_types
from connector_core.store.database import transaction
from connector_core.store.follow import ANY_STREAM
from connector_core.store.judge import Verdict, judge, readings, single_readings, streams
from connector_core.store.logs import LogBuffer
from connector_core.store.publish import Publisher
from connector_core.store.staging import Staging, Task
from connector_core.sync.guard import Guard
from connector_core.sync.readers import Read, Readers

_TICK = 0.1  # real seconds between looks at the cancel switch


@frozen(kw_only=True)
class SyncPolicy:
    """What a sync may do; times in seconds.

    ``resume_within``: an interrupted sync older than this is begun anew. ``restarts``: how often a stream whose
    cursors expired is begun anew (P13). ``max_confirmations``: no more resources than this are read one by one to
    compare two readings. ``max_pages``: a server that always has one more page ends there (P16).
    ``call_deadline``: a page that takes longer fails the sync.
    """

    resume_within: float = 3600.0
    restarts: int = 3
    max_confirmations: int = 500
    max_pages: int = 200_000
    call_deadline: float = 900.0
    guard: Guard = Factory(Guard)


@frozen(kw_only=True)
class Progress:
    """How far a sync is: ``pages`` and ``resources`` read by this process so far, ``open`` cursors being asked for."""

    phase: str
    pages: int
    resources: int
    requests: int
    total: int | None
    seconds: float


@frozen(kw_only=True)
class Ending:
    """How a sync ended."""

    status: SyncStatus
    reason: str | None = None


class SyncEngine:
    """One sitting of one sync. All writing happens in the thread that calls `run`."""

    def __init__(
        self, db: sqlite3.Connection, connection: int, sync: int, *, connector: Connector, client: object,
        manifest: Manifest, requests: Callable[[], int], workers: int, clock: Clock, log: LogBuffer, policy: SyncPolicy,
        cancel: threading.Event, on_progress: Callable[[Progress], None] | None = None, accept_removals: bool = False,
    ) -> None:  # fmt: skip
        self._db = db
        self._connection = connection
        self._sync = sync
        self._connector = connector
        self._client = client
        self._manifest = manifest
        self._requests = requests
        self._workers = workers
        self._clock = clock
        self._log = log
        self._policy = policy
        self._cancel = cancel
        self._on_progress = on_progress
        self._accept = accept_removals
        self._staging = Staging(db, connection, sync, clock, log)
        self._publisher = Publisher(db, connection, sync)
        self._restarts: Counter[str] = Counter()
        self._resources = self._pages = self._reported = 0
        self._total: int | None = None
        self._began = clock.monotonic()

    def run(self) -> Ending:
        """Go through the phases that are still ahead.

        :raises ConnectorCoreError: the sync has failed, or was interrupted; nothing of it is published.
        """
        phases = {"reading": self._read, "rereading": self._reread, "comparing": self._compare}
        put_resource_types(self._db, self._connection, self._manifest.resource_types)
        self._readers = Readers(self._workers, self._ask, self._clock)
        try:
            phase = runs.sync_row(self._db, self._sync)["phase"]
            while phase in phases:
                phase = phases[phase]()
                runs.set_phase(self._db, self._sync, phase)
            return self._confirm_and_publish() if phase == "confirming" else self._hold()
        finally:
            self._readers.close()

    # -- the phases ----------------------------------------------------------------------------------------

    def _read(self) -> str:
        self._staging.begin_reading()
        self._drain("reading")
        for verdict in self._verdicts():
            if not verdict.adds_up and readings(self._db, self._sync, verdict.stream) == 1:
                self._log.add("info", f"{verdict.stream}: {verdict.reason}; reading it once more")
                self._staging.read_again(verdict.stream)
        return "rereading"

    def _reread(self) -> str:
        """Read the second time; what only one reading gave is then read one by one."""
        self._drain("reading again")
        twice = [s for s in streams(self._db, self._sync) if readings(self._db, self._sync, s) == 2]
        for stream in twice if self._can_confirm else ():
            single = single_readings(self._db, self._sync, stream)
            if len(single) <= self._policy.max_confirmations:
                self._staging.confirm((stream, key) for key in single)
        return "comparing"

    def _compare(self) -> str:
        """Judge what would leave the picture; below the guard's limits, ask for each missing resource by its id."""
        self._drain("comparing")
        with transaction(self._db):
            self._find_removals()
        if self._objection() is not None:
            return "held"
        if self._can_confirm:
            self._staging.confirm(("", key) for key in self._publisher.unseen())
        return "confirming"

    def _confirm_and_publish(self) -> Ending:
        self._drain("confirming")
        verdicts = self._verdicts()
        if not self._can_confirm and all(v.adds_up for v in verdicts):
            self._publisher.take_as_gone()
        with transaction(self._db):
            self._find_removals()
            ending = self._ending(verdicts)
            self._finish(ending)
            self._publisher.publish(self._clock)
        return ending

    def _hold(self) -> Ending:
        with transaction(self._db):
            self._find_removals()
            ending = Ending(status="held", reason=self._objection())
            self._publisher.hold()
            self._finish(ending)
            runs.discard_staged(self._db, self._connection)
        return ending

    def _finish(self, ending: Ending) -> None:
        """Write the ending together with what it means: a sync that died in between would be resumed wrongly."""
        if unknown := self._staging.unknown():
            self._log.add(
                "warning", f"what {unknown} accounts hold could not be read; earlier grants stand, unconfirmed"
            )
        self._log.add("info", f"{ending.status}{f': {ending.reason}' if ending.reason else ''}")
        seconds = self._clock.monotonic() - self._began
        runs.finish(self._db, self._sync, ending.status, seconds, self._clock, reason=ending.reason)
        self._log.flush(self._db)

    # -- judging -------------------------------------------------------------------------------------------

    def _verdicts(self) -> list[Verdict]:
        return [judge(self._db, self._sync, stream) for stream in streams(self._db, self._sync)]

    def _find_removals(self) -> None:
        verdicts = self._verdicts()
        whole = [v.stream for v in verdicts if v.adds_up]
        self._publisher.find_removals([*whole, ANY_STREAM] if len(whole) == len(verdicts) else whole, self._clock.now())

    def _objection(self) -> str | None:
        removals = self._publisher.removals(accepted=self._accept)
        return self._policy.guard.objection(removals, address_changed=self._publisher.address_changed())

    def _ending(self, verdicts: list[Verdict]) -> Ending:
        """Complete when every stream adds up, no row was rejected, and everything missing could be looked up."""
        reasons = [f"{v.stream}: {v.reason}" for v in verdicts if not v.adds_up]
        if rejected := self._staging.rejected():
            reasons.append(f"{rejected} rows could not be read")
        if failed := self._staging.not_confirmed():
            reasons.append(f"{failed} resources that were not listed could not be looked up")
        if reasons:
            return Ending(status="incomplete", reason="; ".join(reasons))
        return Ending(status="complete")

    @property
    def _can_confirm(self) -> bool:
        return "sync_resource" in self._connector.hooks

    # -- reading until nothing is open ---------------------------------------------------------------------

    def _drain(self, phase: str) -> None:
        """Ask for every open cursor, several at once, and commit what comes, until none is open.

        After a failure or a cancel nothing more is asked for; pages in hand are still committed.
        """
        failure: ConnectorCoreError | None = None
        while True:
            if self._cancel.is_set() and failure is None:
                failure = Interrupted("interrupted", hint="the same command goes on from here")
            if failure is None and self._readers.free:
                self._dispatch()
            if not self._readers.busy:
                break
            failure = self._take(phase) or failure
        if failure is not None:
            raise failure

    def _dispatch(self) -> None:
        asked = self._staging.newest_mark()
        for task in self._staging.open_tasks(self._readers.free, self._readers.busy):
            self._readers.ask(task, asked)

    def _take(self, phase: str) -> ConnectorCoreError | None:
        read = self._readers.next(_TICK)
        self._tell(phase)
        if read is None:
            if self._readers.longest() > self._policy.call_deadline:
                raise PluginError(f"the plugin {self._connector.name} did not answer in time")
            return None
        if read.error is not None:
            return self._failed(read, read.error)
        return self._commit(read)

    def _commit(self, read: Read) -> ConnectorCoreError | None:
        requests = self._requests()
        new, self._reported = requests - self._reported, requests
        if read.task.key is not None:
            self._staging.commit_resource(read.task, read.page, read.asked, new)
            return None
        assert read.page is not None
        for message in read.page.warnings:
            self._log.add("warning", message)
        for row in read.page.rejected:
            self._log.add("warning", f"row rejected{f' ({row.key})' if row.key else ''}: {row.reason}")
        committed = self._staging.commit_page(read.task, read.page, read.asked, new)
        self._pages += 1
        self._resources += committed.fresh
        self._total = read.page.total if read.page.total is not None else self._total
        if self._pages > self._policy.max_pages:
            return ApplicationError(f"the application's list did not end within {self._pages - 1} pages")
        return None

    def _failed(self, read: Read, error: BaseException) -> ConnectorCoreError | None:
        """An error that ends the sync, or None where it was dealt with."""
        task = read.task
        if isinstance(error, StreamExpired) and task.key is None:
            return self._restart(task, error)
        skippable = isinstance(error, ApplicationError) and not isinstance(error, CredentialsRefused)
        if task.key is not None and skippable:
            self._log.add("warning", f"{task.key} could not be looked up: {error}")
            self._staging.skip(task)
            return None
        if isinstance(error, ConnectorCoreError):
            return error
        return PluginError(f"reading failed: {type(error).__name__}: {error}")

    def _restart(self, task: Task, error: StreamExpired) -> ConnectorCoreError | None:
        self._restarts[task.stream] += 1
        if self._restarts[task.stream] > self._policy.restarts:
            return error
        self._log.add("warning", f"{task.stream}: its cursors expired; reading it from its beginning")
        self._staging.restart(task.stream)
        return None

    def _ask(self, task: Task) -> Page | None:
        """Runs in a reader thread."""
        if task.key is not None:
            return self._connector.sync_resource(self._client, Resource(type=task.key.type, id=task.key.id))
        return self._connector.sync_page(self._client, task.cursor if task.stream else None)

    def _tell(self, phase: str) -> None:
        if self._on_progress is not None:
            self._on_progress(
                Progress(
                    phase=phase, pages=self._pages, resources=self._resources, requests=self._requests(),
                    total=self._total, seconds=self._clock.monotonic() - self._began,
                )
            )  # fmt: skip
