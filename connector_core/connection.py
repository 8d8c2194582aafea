"""`Connection`: everything that can be asked of one configured account of an application."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from attrs import evolve, field, frozen

from connector_core.clock import Clock, rfc3339, within
from connector_core.config import ConnectionConfig
from connector_core.errors import ApplicationError, CredentialsRefused, Unreachable
from connector_core.model import (
    AccessRow,
    Change,
    Entitlement,
    Finding,
    History,
    Json,
    Level,
    LogLine,
    NewAccount,
    Operation,
    Picture,
    SyncInfo,
    SyncReport,
)
from connector_core.plugins import Connector, Plugins
from connector_core.store.database import explained, open_reader, open_writer
from connector_core.terms import Terms

if TYPE_CHECKING:
    from connector_core.http import HttpEvent, HttpPolicy
    from connector_core.provision.apply import ApplyReport, Line
    from connector_core.provision.engine import Provisioner
    from connector_core.provision.plan import Limits, Plan
    from connector_core.provision.requests import Requests
    from connector_core.session import BeforeWrite, Session
    from connector_core.store.queries import Reader
    from connector_core.sync import Progress, SyncPolicy

CHECK_SECONDS = 15.0


@frozen(kw_only=True)
class Context:
    """What a host lends to its connections."""

    plugins: Plugins
    environ: Mapping[str, str] | None = field(repr=False)
    clock: Clock
    http_policy: HttpPolicy | None
    sync_policy: SyncPolicy | None
    cancel: threading.Event


class Connection:
    """One configured account of an application. Made by `Host.connection`; holds nothing open between calls."""

    def __init__(self, config: ConnectionConfig, path: Path, context: Context) -> None:
        self.config = config
        self._path = path
        self._context = context

    @property
    def name(self) -> str:
        return self.config.name

    def __repr__(self) -> str:
        return f"<Connection {self.name} of {self.config.connector}>"

    # -- asking the application ----------------------------------------------------------------------------

    def check(self, *, seconds: float = CHECK_SECONDS) -> tuple[Finding, ...]:
        """Whether the application can be reached, accepts the credentials and lists users; within so long in all.

        What went wrong in the application is a finding, its code that of the error.

        :raises ConfigurationError: a setting is missing or wrong.
        """
        connector = self._connector()
        connector.require("connector_check")

        def ask() -> tuple[Finding, ...]:
            with self._session(connector, deadline=seconds) as session:
                mask = session.http.mask
                return tuple(
                    evolve(f, message=mask(f.message), hint=f.hint and mask(f.hint))
                    for f in connector.check(session.client)
                )

        try:
            return within(seconds, ask, self._context.cancel)
        except TimeoutError as error:
            hint = "see whether the application is slow or down"
            return (Finding(level="error", code=Unreachable.code, message=str(error), hint=hint),)
        except (CredentialsRefused, ApplicationError) as error:
            return (Finding(level="error", code=error.code, message=error.message, hint=error.hint),)

    def sync(
        self, *, workers: int | None = None, fresh: bool = False, accept_removals: bool = False,
        on_progress: Callable[[Progress], None] | None = None, on_event: Callable[[HttpEvent], None] | None = None,
    ) -> SyncReport:  # fmt: skip
        """Read everything, and publish what it came to. An interrupted sync is gone on with.

        :param workers: pages to ask for at once; at most the connector's own limit.
        :param fresh: begin anew even where an interrupted sync could be resumed.
        :param accept_removals: accept what the last sync was held for, and nothing else.
        :param on_progress: told from this thread, several times a second.
        :param on_event: told each step of each request, from the thread that takes it.
        :raises Busy: another process syncs this connection.
        :raises ConnectorCoreError: the sync failed or was interrupted; ``report`` says how far it came.
        """
        from connector_core.syncing import SyncRun

        connector = self._connector()
        with self._writing() as db:
            run = SyncRun(
                db=db, path=self._path, config=self.config, context=self._context, workers=workers, fresh=fresh,
                accept_removals=accept_removals, on_progress=on_progress, on_event=on_event,
            )  # fmt: skip
            with self._session(connector, workers=workers, on_event=run.listen) as session:
                return run(session)

    def require_settings(self) -> None:
        """Find every setting and secret, without asking the application anything.

        :raises ConfigurationError: one is missing or wrong.
        """
        with self._session(self._connector()):
            pass

    def schedule(self, at: float | None) -> None:
        """Tell who watches when this connection is to be synced again, in seconds since 1970; None: not by itself."""
        from connector_core.store.connections import connection_id, set_next_run

        with self._writing() as db:
            connection = connection_id(db, self.name, self.config.connector)
            set_next_run(db, connection, None if at is None else rfc3339(at))

    # -- changing access -----------------------------------------------------------------------------------

    def create_account(
        self, login: str, *, given_name: str | None = None, family_name: str | None = None, role: str | None = None,
        profile: Mapping[str, Json] | None = None, **terms: Unpack[Terms],
    ) -> Operation:  # fmt: skip
        """Have an account, enabled; one that exists is left as it is, a disabled one is enabled.

        :param role: as for `grant`; None takes the application's own default.
        :raises GuardRefused: a rule of this host forbids it; nothing was written.
        """

        def create(requests: Requests) -> Operation:
            wanted = requests.role(role) if role is not None else None
            account = NewAccount(
                login=login.strip(), given_name=given_name, family_name=family_name, role=wanted, profile=profile or {}
            )
            return requests.create(account)

        return self._operate("provision_create_account", create, terms)

    def delete_account(self, user: str, **terms: Unpack[Terms]) -> Operation:
        """Have no account for ``user`` (e-mail in any case, or id). A removal: needs ``yes`` or ``confirm``.

        :raises UnknownName: nobody here ever heard of them.
        :raises GuardRefused: a rule of this host forbids it; nothing was written.
        """
        return self._operate("provision_delete_account", lambda requests: requests.delete(user), terms)

    def grant(self, role: str, user: str, **terms: Unpack[Terms]) -> Operation:
        """Have ``user`` hold ``role`` (``id``, ``type:id`` or ``type:id:slug``); held already is a success.

        :raises UnknownName, AmbiguousName: the role or the user cannot be told.
        :raises GuardRefused: a rule of this host forbids it; nothing was written.
        """
        return self._operate("provision_grant", lambda requests: requests.grant(requests.role(role), user), terms)

    def revoke(self, role: str, user: str, **terms: Unpack[Terms]) -> Operation:
        """Have ``user`` no longer hold ``role``; where that removes the person, it needs ``yes`` or ``confirm``.

        :raises UnknownName, AmbiguousName: the role or the user cannot be told.
        :raises GuardRefused: a rule of this host forbids it; nothing was written.
        """
        return self._operate("provision_revoke", lambda requests: requests.revoke(requests.role(role), user), terms)

    def plan(
        self, people: str | os.PathLike[str] | None = None, *, prune: bool = False, undo: int | None = None,
        include_protected: bool = False, on_progress: Callable[[Progress], None] | None = None,
    ) -> Plan:  # fmt: skip
        """What has to be done so that everybody has what the CSV file ``people`` says; a fresh sync is made first.

        :param prune: remove accounts that the file does not name; else they are left alone.
        :param undo: with no file, take back the plan that this apply carried out; the last one where None.
        :param include_protected: also plan what takes access from protected accounts; else they are kept.
        :raises IncompleteError: the sync was not complete.
        :raises UsageError: the file is wrong; each line is named.
        """
        from connector_core.planning import make_plan, require_complete

        require_complete(self.sync(on_progress=on_progress))
        with self._session(self._connector()) as session, self._reading() as reader:
            path = None if people is None else Path(people)
            return make_plan(
                self.config, session, reader, self._context.clock, path=path, prune=prune, undo=undo,
                include_protected=include_protected,
            )  # fmt: skip

    def apply(
        self, plan: Plan, *, limits: Limits | None = None, on_line: Callable[[Line], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None, **terms: Unpack[Terms],
    ) -> ApplyReport:  # fmt: skip
        """Carry a plan out. Interrupted, the same call again finishes the rest and repeats nothing.

        :param on_line: told each step when it is done.
        :raises GuardRefused: a limit, a protected account, or an account that is no longer as planned.
        :raises IncompleteError: the listing could not be read in full.
        """
        from connector_core.planning import apply_plan, require_complete
        from connector_core.provision.plan import Limits

        (limits or Limits()).check(plan)
        with self._provisioning(self._connector(), {**terms, "yes": True}) as engine:
            require_complete(self.sync(on_progress=on_progress))

            def told(line: Line) -> None:
                if line.operation is not None:
                    self._announce(line.operation, engine)
                if on_line is not None:
                    on_line(line)

            with self._reading(moving=True) as reader:
                db = engine.journal.db
                return apply_plan(plan, self.config, engine.session, reader, engine, self._path, db, told)

    def operations(self, *, user: str | None = None, limit: int | None = None) -> tuple[Operation, ...]:
        """The journal, newest first."""
        with self._reading() as reader:
            return reader.operations(user=user, limit=limit)

    def _operate(self, hook: str, ask: Callable[[Requests], Operation], terms: Terms) -> Operation:
        connector = self._connector()
        connector.require(hook, "find_account", "sync_resource")
        from connector_core.provision.requests import Requests

        with self._provisioning(connector, terms) as engine:
            operation = ask(Requests(engine))
            self._announce(operation, engine)
        return operation

    def _announce(self, operation: Operation, engine: Provisioner) -> None:
        """What plugins complain of goes into the log, without the secrets that it may quote."""
        from connector_core.store.connections import connection_id
        from connector_core.store.logs import LogBuffer

        db = engine.journal.db
        for complaint in self._context.plugins.announce("operation_finished", operation=operation):
            connection = connection_id(db, self.name, self.config.connector)
            LogBuffer(connection, self._context.clock, engine.session.http.mask).write(db, "error", complaint)

    @contextmanager
    def _provisioning(self, connector: Connector, terms: Terms) -> Iterator[Provisioner]:
        from connector_core.provision.engine import WriteAhead
        from connector_core.provision.guards import require_managed
        from connector_core.provisioning import provisioner
        from connector_core.traffic import Traffic

        require_managed(self.config)
        ahead, traffic = WriteAhead(), Traffic(detailed=True)
        with (
            self._writing() as db,
            self._session(connector, before_write=ahead, on_event=traffic.listen) as session,
            provisioner(
                db,
                self._path,
                self.config,
                session,
                ahead,
                self._context.clock,
                terms,
                traffic,
                cancel=self._context.cancel,
            ) as engine,
        ):
            yield engine

    # -- asking the picture --------------------------------------------------------------------------------

    def picture(self, *, at: str | None = None) -> Picture:
        """Which state `access` shows, and how good it is.

        :raises NoPicture: nothing was published yet.
        """
        with self._reading() as reader:
            return reader.picture(_event(reader, at))

    def access(
        self, *, user: str | None = None, role: str | None = None, at: str | None = None
    ) -> tuple[AccessRow, ...]:
        """Who has what, ordered by login.

        :param user: e-mail or login in any case, or id.
        :param role: ``id``, ``type:id`` or ``type:id:slug``.
        :param at: a sync, an event or a time (RFC 3339); now where None.
        :raises UnknownName: no such user, role or moment.
        :raises NoPicture: nothing was published yet.
        """
        with self._reading() as reader:
            return reader.access(user=user, role=role, at=_event(reader, at))

    def view(
        self, *, user: str | None = None, role: str | None = None, at: str | None = None
    ) -> tuple[Picture, tuple[AccessRow, ...]]:
        """`picture` and `access` of one and the same moment."""
        with self._reading() as reader:
            event = _event(reader, at)
            return reader.picture(event), reader.access(user=user, role=role, at=event)

    def changes(self, *, since: str | None = None, until: str | None = None) -> tuple[Change, ...]:
        """What changed after ``since`` up to ``until``, by default since the sync before the last published one."""
        with self._reading() as reader:
            return reader.changes(since=_event(reader, since), until=_event(reader, until))

    def history(self, user: str) -> tuple[History, ...]:
        """All that is known of whoever has, or ever had, that login, e-mail or id; several where it was used again.

        :raises UnknownName: nobody ever had.
        :raises NoPicture: nothing was published yet.
        """
        from connector_core.store.history import Histories

        with self._reading() as reader:
            return Histories(reader).of(user)

    def entitlements(self) -> tuple[Entitlement, ...]:
        """What can be held, and whether it costs money, as far as the picture knows."""
        with self._reading() as reader:
            return reader.entitlements()

    def syncs(self, limit: int | None = None) -> tuple[SyncInfo, ...]:
        """The syncs that ran, newest first."""
        with self._reading() as reader:
            return reader.syncs(limit)

    def logs(
        self, event: int | None = None, *, level: Level = "info", everything: bool = False, limit: int | None = None
    ) -> tuple[LogLine, ...]:
        """What happened in a sync or an operation, by its number; in the last sync where None.

        :param level: lines of at least this level; ``debug`` has each request of an operation.
        :param everything: of all syncs and operations.
        :param limit: only so many, the last ones.
        :raises UnknownName: there is no such sync or operation.
        """
        with self._reading() as reader:
            return reader.logs(None if everything else reader.logged(event), level=level, limit=limit)

    def follow_logs(self, event: int | None = None, *, level: Level = "info") -> Iterator[LogLine]:
        """Lines as they are written from now on, until `Host.cancel`; with ``event``, all of it until it has ended.

        :raises Interrupted: cancelled.
        """
        from connector_core.following import follow

        return follow(self._reading, self._context.clock, self._context.cancel, event=event, level=level)

    # -- inside --------------------------------------------------------------------------------------------

    def _connector(self) -> Connector:
        return self._context.plugins.connector(self.config.connector)

    def _session(
        self, connector: Connector, *, deadline: float | None = None, workers: int | None = None,
        on_event: Callable[[HttpEvent], None] | None = None, before_write: BeforeWrite | None = None,
    ) -> AbstractContextManager[Session]:  # fmt: skip
        from connector_core.http import HttpPolicy
        from connector_core.session import opened

        policy = evolve(self._context.http_policy or HttpPolicy(), deadline=deadline)
        return opened(
            self.config, connector, state=self._path, clock=self._context.clock, cancel=self._context.cancel,
            policy=policy, environ=self._context.environ, workers=workers, on_event=on_event, before_write=before_write,
        )  # fmt: skip

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with explained(self._path), closing(open_writer(self._path)) as db:
            yield db

    @contextmanager
    def _reading(self, *, moving: bool = False) -> Iterator[Reader]:
        """A reader that sees one state throughout, whatever is published meanwhile; ``moving``: always the newest."""
        from connector_core.store.queries import Reader, no_picture

        with explained(self._path):
            db = open_reader(self._path)
            if db is None:
                raise no_picture(self.name)
            with closing(db):
                if not moving:
                    db.execute("BEGIN")
                yield Reader(db, self.name)


def _event(reader: Reader, moment: str | None) -> int | None:
    return None if moment is None else reader.event_at(moment)
