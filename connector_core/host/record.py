"""`Record`: what the state keeps of one connection, asked without asking the application."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from attrs import field, frozen

from connector_core.clock import Clock, rfc3339
from connector_core.config.configuration import ConnectionConfig
from connector_core.connectors.plugins import Plugins
from connector_core.host.answer_rows import AnswerRows
from connector_core.model import (
    AccessRow,
    Change,
    Entitlement,
    History,
    Key,
    Level,
    LogLine,
    Operation,
    Picture,
    Pruned,
    SyncInfo,
)
from connector_core.store.database import explained, open_reader, open_writer

if TYPE_CHECKING:
    from connector_core.http import HttpPolicy
    from connector_core.store.queries import Reader
    from connector_core.sync import SyncPolicy

T = TypeVar("T")


@frozen(kw_only=True)
class Context:
    """What a host lends to its connections."""

    plugins: Plugins
    environ: Mapping[str, str] | None = field(repr=False)
    clock: Clock
    http_policy: HttpPolicy | None
    sync_policy: SyncPolicy | None
    cancel: threading.Event


class Record:
    """The kept half of a `Connection`. Holds nothing open between calls, long `AnswerRows` aside."""

    def __init__(self, config: ConnectionConfig, path: Path, context: Context) -> None:
        self.config = config
        self._path = path
        self._context = context

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def identity(self) -> str:
        """What tells this connection from every other, whatever it is called: random, made at set-up.

        It is kept in the configuration file, else in the state, where it is made now if there is none yet.
        """
        if self.config.identity is not None:
            return self.config.identity
        from connector_core.store.connections import identity_of

        with self._writing() as db:
            return identity_of(db, self.config.ref)

    def __repr__(self) -> str:
        return f"<Connection {self.name} of {self.config.connector}>"

    # -- asking the picture --------------------------------------------------------------------------------

    def picture(self, *, at: str | None = None) -> Picture:
        """Which state `access` shows, and how good it is.

        :raises NoPicture: nothing was published yet.
        """
        with self._reading() as reader:
            return reader.picture(self._event(reader, at))

    def access(
        self, *, user: str | None = None, role: str | None = None, at: str | None = None
    ) -> AnswerRows[AccessRow]:
        """Who has what, ordered by login.

        :param user: login, id, ``type:id`` or e-mail.
        :param role: ``id``, ``type:id`` or ``type:id:slug``.
        :param at: a sync, an event or a time (RFC 3339); now where None.
        :raises UnknownName: no such user, role or moment.
        :raises NoPicture: nothing was published yet.
        """
        return self._rows(lambda reader: reader.access(user=user, role=role, at=self._event(reader, at)))

    def view(
        self, *, user: str | None = None, role: str | None = None, at: str | None = None
    ) -> tuple[Picture, AnswerRows[AccessRow]]:
        """`picture` and `access` of one and the same moment."""
        pictures: list[Picture] = []

        def ask(reader: Reader) -> Iterator[AccessRow]:
            event = self._event(reader, at)
            pictures.append(reader.picture(event))
            return reader.access(user=user, role=role, at=event)

        rows = self._rows(ask)
        return pictures[0], rows

    def changes(
        self, *, since: str | None = None, until: str | None = None, by_person: bool = False
    ) -> AnswerRows[Change]:
        """What changed after ``since`` up to ``until``, by default since the sync before the last published one.

        :param by_person: within each moment ordered by login, and not as it was written down.
        """

        def ask(reader: Reader) -> Iterator[Change]:
            last = None if until is None else reader.event_at(until)
            return reader.changes(since=self._event(reader, since), until=last, by_person=by_person)

        return self._rows(ask)

    def history(self, user: str) -> tuple[History, ...]:
        """Return what is known of each account that has, or had, that login, e-mail or id; several if it was reused.

        :raises UnknownName: no account ever had it.
        :raises NoPicture: nothing was published yet.
        """
        from connector_core.store.history import Histories

        with self._reading() as reader:
            return Histories(reader).of(user)

    def entitlements(self) -> tuple[Entitlement, ...]:
        """What can be held, and whether it costs money, as far as the picture knows."""
        with self._reading() as reader:
            return reader.entitlements()

    def role_labels(self) -> dict[Key, str]:
        """What people call roles, groups and projects that have names; the id follows where two names are alike."""
        with self._reading() as reader:
            return reader.role_labels()

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
        from connector_core.host.log_follower import follow

        return follow(self._reading, self._context.clock, self._context.cancel, event=event, level=level)

    def operations(self, *, user: str | None = None, limit: int | None = None) -> tuple[Operation, ...]:
        """The journal, newest first."""
        with self._reading() as reader:
            return reader.operations(user=user, limit=limit)

    def schedule(self, at: float | None) -> None:
        """Tell who watches when this connection is to be synced again, in seconds since 1970; None: not by itself."""
        from connector_core.store.connections import connection_id, find_connection, set_next_run

        with self._writing() as db:
            row = find_connection(db, self.config.ref)
            if row is not None and row["removed"] is not None:
                return
            connection = connection_id(db, self.config.ref)
            set_next_run(db, connection, None if at is None else rfc3339(at))

    # -- forgetting ----------------------------------------------------------------------------------------

    def prune(self, *, older: float | None = None, keep: int | None = None, dry_run: bool = False) -> Pruned:
        """Forget pictures, changes and syncs of long ago, with their logs; never the current picture or the journal.

        The last two published syncs and the last complete one always stay.

        :param older: what is older than so many seconds; the picture of that moment can still be shown.
        :param keep: all but so many published syncs. With both, what both would forget.
        :param dry_run: forget nothing; say what would be forgotten.
        :raises Busy: it is being synced or changed.
        :raises NoPicture: nothing was published yet.
        """
        from connector_core.store.database import transaction
        from connector_core.store.lock import exclusive
        from connector_core.store.prune import oldest_to_keep, prune, shrink
        from connector_core.store.queries import Reader

        before = None if older is None else rfc3339(self._context.clock.now() - older)
        with self._reading() as reader:
            reader.picture()
        with self._writing() as db, exclusive(self._path, db, self.config.ref, self._context.clock):
            connection = Reader(db, self.config.ref).id
            oldest = oldest_to_keep(db, connection, before=before, newest=keep)
            if oldest is None or (older is None and keep is None):
                return Pruned()
            with suppress(_Undone), transaction(db):
                pruned = prune(db, connection, oldest)
                nothing = not (pruned.syncs or pruned.changes or pruned.versions)
                if dry_run or nothing:
                    raise _Undone
            if not (dry_run or nothing):
                shrink(db)
        return Pruned() if nothing else pruned

    # -- inside --------------------------------------------------------------------------------------------

    def _event(self, reader: Reader, moment: str | None) -> int | None:
        return None if moment is None else reader.event_at(moment, self._context.clock.now())

    def _rows(self, ask: Callable[[Reader], Iterator[T]]) -> AnswerRows[T]:
        """AnswerRows of an answer of one reader, which stays open until they are read."""

        def read() -> Iterator[T]:
            with self._reading() as reader:
                yield from ask(reader)

        return AnswerRows(read)

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
                yield Reader(db, self.config.ref)


class _Undone(Exception):
    """Raised to have a transaction rolled back that was only to be looked at."""
