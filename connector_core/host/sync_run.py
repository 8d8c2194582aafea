"""One sync from beginning to end: lock, begin or resume, engine, report, announcement."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from connector_core.config.configuration import ConnectionConfig
from connector_core.connectors.session import Session
from connector_core.errors import ConnectorCoreError, Interrupted, UsageError
from connector_core.host.traffic import Traffic
from connector_core.model import ChangeCounts, ErrorInfo, SyncReport, SyncStatus
from connector_core.provision.engine import WriteAhead
from connector_core.provision.guards import protection_of
from connector_core.store import runs
from connector_core.store.connections import connection_id
from connector_core.store.database import transaction
from connector_core.store.lock import exclusive
from connector_core.store.logs import LogBuffer, trim
from connector_core.store.protected import ProtectedAccounts
from connector_core.store.queries import Reader
from connector_core.sync import Progress, SyncContext, SyncEngine, SyncPolicy

if TYPE_CHECKING:
    from connector_core.host.record import Context
    from connector_core.http import HttpEvent


@define(kw_only=True)
class SyncRun:
    """One call of `Connection.sync`; its arguments are described there."""

    db: sqlite3.Connection
    path: Path
    config: ConnectionConfig
    context: Context
    workers: int | None
    fresh: bool
    accept_removals: bool
    on_progress: Callable[[Progress], None] | None
    on_event: Callable[[HttpEvent], None] | None
    _log: LogBuffer | None = field(default=None, init=False)
    _traffic: Traffic = field(factory=Traffic, init=False)

    def listen(self, event: HttpEvent) -> None:
        """Take each step of each request: what a support person needs goes into the log."""
        self._traffic.listen(event)
        if self.on_event is not None:
            self.on_event(event)

    def __call__(self, session: Session) -> SyncReport:
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"{self.workers} workers could read nothing", hint="1 or more, or none said")
        connection = connection_id(self.db, self.config.ref)
        with exclusive(self.path, self.db, self.config.ref, self.context.clock):
            policy = self._policy()
            terms = runs.ReadFingerprint(
                version=session.connector.version, reading=session.reading, address=session.address
            )
            self._settle(session)
            log = self._log = self._traffic.log = LogBuffer(connection, self.context.clock, session.http.mask)
            session.connector.voice.log = log.add
            sync = self._begin(connection, terms, policy, log)
            workers = min(self.workers or session.manifest.max_workers, session.manifest.max_workers)
            log.add("info", f"{self.config.connector} {session.connector.version}, up to {workers} requests at once")
            means = SyncContext(
                connector=session.connector, client=session.client, manifest=session.manifest,
                requests=lambda: session.http.requests, refusals=lambda: session.http.refused,
                workers=workers, clock=self.context.clock, log=log, policy=policy,
                cancel=self.context.cancel, on_progress=self.on_progress,
            )  # fmt: skip
            engine = SyncEngine(self.db, connection, sync, means, accept=self.accept_removals)
            self._protect(connection, session)
            try:
                engine.run()
                self._protect(connection, session, log)
            except ConnectorCoreError as error:
                self._fail(sync, error, engine.unreported, session.http.mask)
                error.report = self._report(sync)
                raise
            return self._report(sync)

    def _policy(self) -> SyncPolicy:
        """What this sync may do, with the limits that the connection sets for the guard."""
        policy = self.context.sync_policy or SyncPolicy()
        limits: dict[str, Any] = self.config.guard.given()
        return evolve(policy, guard=evolve(policy.guard, **limits))

    def _protect(self, connection: int, session: Session, log: LogBuffer | None = None) -> None:
        """Remember which accounts are protected, before their names change and after; warn of entries without any."""
        protection = protection_of(session.settings)
        with transaction(self.db):
            accounts = ProtectedAccounts(self.db, connection)
            accounts.refresh(protection)
            if log is not None:
                for entry in accounts.idle(protection):
                    log.add("warning", f"protected: {entry} names no account")

    def _settle(self, session: Session) -> None:
        """Find out first what became of operations whose result was never read."""
        from connector_core.host.provisioning import announce, has_open, provisioner

        if has_open(self.db, self.config.ref):
            ahead, clock = WriteAhead(), self.context.clock
            with provisioner(self.db, self.path, self.config, session, ahead, clock, {}, Traffic()) as engine:
                announce(engine, self.context.plugins)

    def _begin(self, connection: int, terms: runs.ReadFingerprint, policy: SyncPolicy, log: LogBuffer) -> int:
        """The sync to work on: the interrupted one, where it can be resumed, else a new one."""
        clock = self.context.clock
        found, why_not = runs.resumable(self.db, connection, terms, policy.resume_within, clock)
        if found is not None and not self.fresh:
            runs.resume(self.db, found, clock)
            log.sync = found
            log.add("info", "going on where it was interrupted")
            return found
        log.sync = runs.begin(self.db, connection, terms, clock)
        if why_not is not None:
            log.add("warning", f"{why_not}; beginning a new sync")
        return log.sync

    def _fail(self, sync: int, error: ConnectorCoreError, took: tuple[float, int], mask: Callable[[str], str]) -> None:
        assert self._log is not None
        interrupted = isinstance(error, Interrupted)
        error.message, error.hint = mask(error.message), error.hint and mask(error.hint)
        info = None if interrupted else ErrorInfo(code=error.code, message=error.message, hint=error.hint)
        with transaction(self.db):
            self._log.add_trace(error)
            self._log.write(self.db, "info" if interrupted else "error", error.message)
            if error.hint:
                self._log.write(self.db, "info", f"what to do: {error.hint}")
            status: SyncStatus = "interrupted" if interrupted else "failed"
            seconds, requests = took
            runs.finish(
                self.db, sync, status, seconds, self.context.clock, requests=requests, reason=error.message, error=info
            )

    def _report(self, sync: int) -> SyncReport:
        assert self._log is not None
        with transaction(self.db):
            self._traffic.sum_up()
            self._log.flush(self.db)
            trim(self.db, self.context.clock)
        row = runs.sync_row(self.db, sync)
        reader = Reader(self.db, self.config.ref)
        report = SyncReport(
            connection=self.config.name, connector=self.config.connector, sync=runs.sync_info(row),
            counts=reader.counts(), rejected=row["rejected"], warnings=reader.warnings(sync), error=runs.error_of(row),
            changes=ChangeCounts(added=row["added"], removed=row["removed"], changed=row["changed"]),
        )  # fmt: skip
        for complaint in self.context.plugins.announce("sync_finished", report=report):
            self._log.write(self.db, "error", complaint)
        return report
