"""Answers from the picture: who has what, what changed, which syncs ran. Read only, published states only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from connector_core.clock import rfc3339
from connector_core.errors import AmbiguousName, NoPicture, UnknownName, UsageError
from connector_core.model import (
    AccessRow,
    Change,
    Counts,
    Entitlement,
    EntitlementKey,
    Key,
    Level,
    LogLine,
    Operation,
    Picture,
    SyncInfo,
)
from connector_core.names import ambiguous, entitlements_named, some
from connector_core.store.access import AccessRows, resources_at
from connector_core.store.changes import changes_where
from connector_core.store.connections import ConnectionRef, entitlement_of, find_connection, head
from connector_core.store.labels import role_labels, role_names
from connector_core.store.logs import lines
from connector_core.store.naming import AccountNames
from connector_core.store.runs import sync_info


class Reader:
    """The picture of one connection, whose row is ``id``. ``at`` everywhere is an event number; None means now."""

    def __init__(self, db: sqlite3.Connection, ref: ConnectionRef) -> None:
        """:raises NoPicture: nothing was ever synced for it."""
        row = find_connection(db, ref)
        if row is None:
            raise no_picture(ref.name)
        self.db = db
        self.name = ref.name
        self.names = AccountNames(db, int(row["id"]))
        self.id = int(row["id"])
        self.identity = str(row["identity"])
        self.oldest: int = row["pruned"] or 0  # the event whose picture is the oldest that can be shown
        self._baseline: int | None = row["baseline"]

    # -- which picture -------------------------------------------------------------------------------------

    def picture(self, at: int | None = None) -> Picture:
        """Which state that is.

        :raises NoPicture: nothing was published yet.
        """
        event = head(self.db, self.id) if at is None else at
        if event is None or self._baseline is None:  # operations alone make no picture
            raise no_picture(self.name)
        moment = self._one("SELECT at FROM events WHERE id = ?", event)
        last = self._one(
            "SELECT status FROM sync_runs WHERE connection = ? AND status <> 'running' ORDER BY id DESC LIMIT 1",
            self.id,
        )
        complete = self._one(
            "SELECT max(finished) FROM sync_runs WHERE connection = ? AND status = 'complete'", self.id
        )
        return Picture(event=event, at=moment, status=last, last_complete=complete)

    def event_at(self, moment: str, now: float | None = None) -> int:
        """The last event of the picture at a sync's number, an event's number, or a time (RFC 3339).

        :raises UnknownName: there was no picture then, or no such event.
        :raises UsageError: the time is after ``now``, where that is given, and after all that the state knows.
        """
        if moment.isdecimal() and len(moment) < 19:  # SQLite's numbers end there
            return self._event_numbered(int(moment))
        try:
            then = datetime.fromisoformat(moment)
            text = rfc3339((then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError):
            raise UnknownName(
                f"{moment!r} is neither an event nor a time", hint="a time looks like 2026-01-31T12:00:00Z"
            ) from None
        if now is not None:
            self._refuse_future(text, now)
        event = self._one("SELECT max(id) FROM events WHERE connection = ? AND at <= ?", self.id, text)
        if event is None:
            raise UnknownName(f"there was no picture of {self.name} at {text}", hint=self._first_picture())
        return self._still_told(int(event))

    def _refuse_future(self, text: str, now: float) -> None:
        newest = self._one("SELECT max(at) FROM events WHERE connection = ?", self.id)  # by a clock that was ahead
        if text > max(rfc3339(now), newest or ""):
            raise UsageError(f"{text} is in the future", hint="leave the time out for the picture as it is now")

    def _event_numbered(self, number: int) -> int:
        self._still_told(number)
        row = self.db.execute(
            "SELECT e.at, s.event, s.status FROM events e LEFT JOIN sync_runs s ON s.id = e.id "
            "WHERE e.id = ? AND e.connection = ?",
            (number, self.id),
        ).fetchone()
        if row is None:
            raise UnknownName(f"{self.name} has no event {number}", hint=f"connector-core syncs {self.name} lists them")
        if row["event"] is None and row["at"] is None:
            what = f"sync {number} is {row['status']}" if row["status"] else f"operation {number} changed nothing"
            raise UnknownName(f"{what}: nothing of it is in the picture")
        return int(row["event"] or number)

    def _still_told(self, event: int) -> int:
        if event < self.oldest:
            raise UnknownName(f"the history of {self.name} before that was pruned", hint=self._first_picture())
        return event

    def _first_picture(self) -> str:
        query = "SELECT min(at) FROM events WHERE connection = ? AND id >= ? AND at IS NOT NULL"
        first = self._one(query, self.id, self.oldest)
        return f"the first one is of {first}"

    def counts(self) -> Counts:
        """How many there are in the picture."""
        query = (
            "SELECT t.type, t.account, t.role, count(r.id) AS number FROM resource_types t "
            "LEFT JOIN current_resources r ON r.connection = t.connection AND r.type = t.type "
            "WHERE t.connection = ? GROUP BY t.type"
        )
        types = self.db.execute(query, (self.id,)).fetchall()
        return Counts(
            user=sum(row["number"] for row in types if row["account"]),
            role=sum(row["number"] for row in types if row["role"]),
            entitlement=self._one(
                "SELECT count(*) FROM known_entitlements n WHERE connection = ? AND (EXISTS ("
                "SELECT 1 FROM current_resources r WHERE r.connection = n.connection AND r.type = n.type "
                "AND r.id = n.resource_id) OR n.id IN (SELECT entitlement FROM grants))",
                self.id,
            ),
            grant=self._one("SELECT count(*) FROM grants WHERE connection = ?", self.id),
            by_type={row["type"]: row["number"] for row in types},
        )

    # -- who has what --------------------------------------------------------------------------------------

    def access(self, *, user: str | None = None, role: str | None = None, at: int | None = None) -> Iterator[AccessRow]:
        """Who has what, ordered by login, read as it is gone through.

        :param user: a login, an id, ``type:id`` or an e-mail, as `connector_core.names` reads it.
        :param role: a name, ``id``, ``type:id`` or ``type:id:slug``.
        :raises UnknownName: no such user or role was ever seen; the hint names near ones.
        :raises AmbiguousName: several accounts or roles fit.
        """
        self.picture(at)
        entitlements = None if role is None else self._entitlements_named(role)
        if user is not None:
            return self.rows(at).of_accounts([self.account_named(user, at)], entitlements)
        return self.rows(at).of_all() if entitlements is None else self.rows(at).of_holders(entitlements)

    def names_beside(self, type: str) -> Iterator[str]:
        """The ids, logins and e-mails of accounts of any type but that one."""
        query = (
            "SELECT r.id, r.login, r.email FROM current_resources r JOIN resource_types t "
            "ON t.connection = r.connection AND t.type = r.type AND t.account WHERE r.connection = ? AND r.type <> ?"
        )
        for row in self.db.execute(query, (self.id, type)):
            yield from filter(None, row)

    def entitlements(self) -> tuple[Entitlement, ...]:
        """What can be held, as far as the picture knows."""
        query = "SELECT * FROM known_entitlements WHERE connection = ?"
        return tuple(map(entitlement_of, self.db.execute(query, (self.id,))))

    def role_names(self) -> dict[Key, str]:
        """What roles, groups and projects are called, by key."""
        return role_names(self.db, self.id)

    def role_labels(self) -> dict[Key, str]:
        """What to print for roles, groups and projects that have names (`connector_core.store.labels`)."""
        return role_labels(self.db, self.id)

    def rows(self, at: int | None) -> AccessRows:
        """Rows of the picture."""
        return AccessRows(self.db, self.id, self.name, at)

    def account_named(self, user: str, at: int | None = None) -> Key:
        """Return the account that ``user`` names: a login, an id, ``type:id``, or an e-mail (`connector_core.names`).

        :raises UnknownName: there is none.
        :raises AmbiguousName: several fit; each is named with its id, and ``keys`` are theirs.
        """
        found = self.names.meant(user, at)
        if not found:
            raise self.unknown_user(user, at)
        if len(found) > 1:
            error = ambiguous(user, found)
            error.keys = tuple(account.key for account in found)
            raise error
        return found[0].key

    def unknown_user(self, user: str, at: int | None) -> UnknownName:
        """The error where a text names no account: the account that had this login before, else near matches."""
        if renamed := self.names.renamed(user):
            return UnknownName(renamed[0], hint=renamed[1])
        query = f"SELECT coalesce(r.login, r.email, r.id) FROM {resources_at(at)} r JOIN resource_types t "
        query += "ON t.connection = :connection AND t.type = r.type AND t.account LIMIT 20000"
        names = [row[0] for row in self.db.execute(query, {"connection": self.id, "at": at})]
        near = get_close_matches(user, names, 3)
        hint = (
            f"did you mean {' or '.join(near)}?" if near else f"connector-core access {self.name} lists every account"
        )
        return UnknownName(f"{self.name} has no user {user!r}", hint=hint)

    def _entitlements_named(self, role: str) -> list[int]:
        query = "SELECT id, type, resource_id, slug, name FROM known_entitlements WHERE connection = ?"
        rows = self.db.execute(query, (self.id,)).fetchall()
        keys = {EntitlementKey(r["type"], r["resource_id"], r["slug"]): int(r["id"]) for r in rows}
        found = entitlements_named(role, keys, self.role_names())
        if len(resources := sorted({key.resource for key in found})) > 1:
            raise AmbiguousName(f"{role!r} may be any of {some([*map(str, resources)])}", hint="name it as type:id")
        return [keys[key] for key in found]

    # -- what changed --------------------------------------------------------------------------------------

    def changes(
        self, *, since: int | None = None, until: int | None = None, by_person: bool = False
    ) -> Iterator[Change]:
        """What changed after event ``since`` up to ``until``; by default since the sync before the last published."""
        self.picture()
        if since is None:
            query = (
                "SELECT event FROM sync_runs WHERE connection = ? AND event IS NOT NULL "
                "AND event < coalesce(?, 1 << 62) ORDER BY event DESC LIMIT 1 OFFSET 1"
            )
            since = self._one(query, self.id, None if until is None else until + 1) or 0
        which = "l.event > ? AND l.event <= coalesce(?, 1 << 62)"
        return changes_where(self.db, self.id, which, since, until, by_person=by_person)

    # -- which syncs ---------------------------------------------------------------------------------------

    def syncs(self, limit: int | None = None) -> tuple[SyncInfo, ...]:
        """Syncs, newest first."""
        query = "SELECT * FROM sync_runs WHERE connection = ? ORDER BY id DESC LIMIT ?"
        return tuple(sync_info(row) for row in self.db.execute(query, (self.id, -1 if limit is None else limit)))

    def logged(self, event: int | None) -> int:
        """That sync or operation; the last sync where None.

        :raises UnknownName: there is no such sync or operation.
        """
        if event is None:
            last: int | None = self._one("SELECT max(id) FROM sync_runs WHERE connection = ?", self.id)
            return last or 0
        query = "SELECT id FROM events WHERE connection = ? AND id = ?"
        if self._one(query, self.id, event) is None:
            hint = f"connector-core syncs {self.name} lists the syncs, operations {self.name} the others"
            raise UnknownName(f"{self.name} has no sync or operation {event}", hint=hint)
        return event

    def logs(
        self, event: int | None = None, *, level: Level = "debug", limit: int | None = None
    ) -> tuple[LogLine, ...]:
        """The log, of one sync or operation, or of all; lines of at least that level, at most the last ``limit``."""
        return tuple(line for _, line in self.numbered_logs(event, level=level, newest=limit))

    def numbered_logs(
        self, event: int | None, *, level: Level, after: int = 0, newest: int | None = None
    ) -> tuple[tuple[int, LogLine], ...]:
        """The same with the lines' numbers, for who asks again for those ``after`` the last."""
        return tuple(lines(self.db, self.id, event=event, level=level, after=after, newest=newest))

    def is_over(self, event: int) -> bool:
        """Whether nothing more will be logged of that sync or operation."""
        query = (
            "SELECT status <> 'running' FROM sync_runs WHERE id = ?1 "
            "UNION ALL SELECT state NOT IN ('pending', 'sent', 'unknown') FROM journal WHERE id = ?1"
        )
        return bool(self._one(query, event))

    def operations(self, *, user: str | None = None, limit: int | None = None) -> tuple[Operation, ...]:
        """The journal, newest first; of one account where ``user`` names it, or named it at that time.

        :raises AmbiguousName: several accounts of the picture fit.
        """
        from connector_core.store.journal import operation_of

        which = "1"
        names: dict[str, object] = {"connection": self.id, "limit": -1 if limit is None else limit}
        if user is not None:
            which = "(account = :id OR login_key = :key)"
            names |= self.names.in_journal(user)
        query = f"SELECT * FROM journal WHERE connection = :connection AND {which} ORDER BY id DESC LIMIT :limit"
        return tuple(operation_of(row) for row in self.db.execute(query, names))

    def warnings(self, sync: int) -> tuple[str, ...]:
        """The warnings of a sync, each once."""
        query = (
            "SELECT message FROM logs WHERE connection = ? AND sync = ? AND level = 'warning' "
            "GROUP BY message ORDER BY min(id)"
        )
        return tuple(row[0] for row in self.db.execute(query, (self.id, sync)))

    def _one(self, query: str, *values: object) -> Any:
        row = self.db.execute(query, values).fetchone()
        return row and row[0]


def no_picture(connection: str) -> NoPicture:
    """The error where nothing was ever published."""
    return NoPicture(
        f"there is no picture of {connection} yet: no sync was published",
        hint=f"connector-core run {connection} makes one",
    )
