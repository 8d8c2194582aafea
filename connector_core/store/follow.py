"""The picture follows an operation at once: one account as it is now, with history and changes, as one event."""

from __future__ import annotations

import sqlite3
from collections.abc import Set

from attrs import frozen

from connector_core.clock import Clock, rfc3339
from connector_core.convert import compact
from connector_core.model import Entitlement, EntitlementKey, Key, Resource
from connector_core.store.connections import EntitlementRows, publish_event

ANY_STREAM = "*"  # the source of a grant whose like no stream has given yet
_FIELDS = ("status", "name", "login", "email", "parent", "profile")


@frozen(kw_only=True)
class Now:
    """An account as an operation left it. ``resource`` None: it is gone. ``confirmed``: what it holds was read back."""

    key: Key
    resource: Resource | None
    held: Set[EntitlementKey] = frozenset()
    confirmed: bool = True


class Follower:
    """Carries one account over into the picture, in the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, connection: int, clock: Clock) -> None:
        self._db = db
        self._connection = connection
        self._clock = clock
        self._entitlements = EntitlementRows(db, connection)

    def follow(self, operation: int, now: Now) -> int:
        """Enter what ``operation`` led to; the event in which it entered. Pages asked for earlier yield to it."""
        event = publish_event(self._db, self._connection, operation, "operation", rfc3339(self._clock.now()))
        self._touch(now.key)
        self._resource(event, now)
        self._grants(event, now)
        return event

    def define(self, entitlements: tuple[Entitlement, ...]) -> None:
        """Store what these entitlements are: the connector's own exist without any sync."""
        self._entitlements.define(entitlements, None)

    def known(self) -> list[EntitlementKey]:
        """Every entitlement that was ever read or granted."""
        query = "SELECT type, resource_id, slug FROM entitlements WHERE connection = ?"
        return [EntitlementKey(*row) for row in self._db.execute(query, (self._connection,))]

    def held(self, key: Key) -> set[EntitlementKey]:
        """What the account holds in the picture."""
        rows = self._db.execute(
            "SELECT n.type, n.resource_id, n.slug FROM grants g JOIN entitlements n ON n.id = g.entitlement "
            "WHERE g.connection = ? AND g.principal_type = ? AND g.principal_id = ?",
            (self._connection, *key),
        )
        return {EntitlementKey(*row) for row in rows}

    def _touch(self, key: Key) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO touched SELECT ?1, ?2, ?3, coalesce(max(mark), 0) + 1 FROM touched "
            "WHERE connection = ?1",
            (self._connection, *key),
        )

    def _resource(self, event: int, now: Now) -> None:
        before = self._db.execute(
            "SELECT * FROM resources WHERE connection = ? AND type = ? AND id = ?", (self._connection, *now.key)
        ).fetchone()
        after = None if now.resource is None else _fields(now.resource)
        if before is None and after is None:
            return
        if before is not None and after == tuple(before[name] for name in _FIELDS):
            return
        self._log_resource(event, now.key, before, after)
        if before is not None:
            self._db.execute(
                "INSERT INTO resource_history SELECT *, ? FROM resources WHERE connection = ? AND type = ? AND id = ?",
                (event, self._connection, *now.key),
            )
        self._db.execute(
            "DELETE FROM resources WHERE connection = ? AND type = ? AND id = ?", (self._connection, *now.key)
        )
        if after is not None:
            self._db.execute(
                f"INSERT INTO resources (connection, type, id, {', '.join(_FIELDS)}, began) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (self._connection, *now.key, *after, event),
            )

    def _log_resource(
        self, event: int, key: Key, before: sqlite3.Row | None, after: tuple[str | None, ...] | None
    ) -> None:
        login = after[2] if after else before["login"] if before else None
        if before is None or after is None:
            kind = "added" if before is None else "removed"
            label = login or key.id
            self._log(event, key, login, kind, "account", None if before is None else label, label if after else None)
            return
        for name, value in zip(_FIELDS, after, strict=True):
            if before[name] != value:
                self._log(event, key, login, "changed", name, before[name], value)

    def _grants(self, event: int, now: Now) -> None:
        before = self.held(now.key)
        ended, begun = before - now.held, set(now.held) - before
        self._log_grants(event, now, ended, begun)
        for entitlement in ended:
            self._end(event, now.key, entitlement)
        for entitlement in begun:
            self._begin(event, now, entitlement)
        self._db.execute(
            "UPDATE grants SET confirmed = ? WHERE connection = ? AND principal_type = ? AND principal_id = ?",
            (now.confirmed, self._connection, *now.key),
        )

    def _log_grants(self, event: int, now: Now, ended: Set[EntitlementKey], begun: Set[EntitlementKey]) -> None:
        """A swap within an exclusive group is one changed row."""
        login = now.resource.login if now.resource else self._last_login(event, now.key)
        swaps = {e: b for b in begun for e in ended if self._exclusive(b) and self._exclusive(b) == self._exclusive(e)}
        for old, new in swaps.items():
            self._log(event, now.key, login, "changed", "grant", str(old), str(new))
        for new in sorted(begun - set(swaps.values())):
            self._log(event, now.key, login, "added", "grant", None, str(new))
        for old in sorted(ended - set(swaps)):
            self._log(event, now.key, login, "removed", "grant", str(old), None)

    def _end(self, event: int, key: Key, entitlement: EntitlementKey) -> None:
        grant = (self._connection, *key, self._entitlements[entitlement])
        which = "connection = ? AND principal_type = ? AND principal_id = ? AND entitlement = ?"
        self._db.execute(
            "INSERT INTO grant_history (connection, principal_type, principal_id, entitlement, began, ended) "
            f"SELECT connection, principal_type, principal_id, entitlement, began, ? FROM grants WHERE {which}",
            (event, *grant),
        )
        self._db.execute(f"DELETE FROM grants WHERE {which}", grant)

    def _begin(self, event: int, now: Now, entitlement: EntitlementKey) -> None:
        """A grant belongs to the stream that gives others of its kind, so that a later sync can end it."""
        number = self._entitlements[entitlement]
        query = (
            "SELECT source FROM grants WHERE connection = ? AND entitlement IN "
            "(SELECT id FROM entitlements WHERE connection = ? AND type = ?) LIMIT 1"
        )
        row = self._db.execute(query, (self._connection, self._connection, entitlement.type)).fetchone()
        self._db.execute(
            "INSERT INTO grants (connection, principal_type, principal_id, entitlement, began, source, confirmed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._connection, *now.key, number, event, row["source"] if row else ANY_STREAM, now.confirmed),
        )

    def _exclusive(self, entitlement: EntitlementKey) -> str | None:
        query = "SELECT exclusive FROM entitlements WHERE id = ?"
        group: str | None = self._db.execute(query, (self._entitlements[entitlement],)).fetchone()[0]
        return group

    def _last_login(self, event: int, key: Key) -> str | None:
        query = "SELECT login FROM resource_history WHERE connection = ? AND type = ? AND id = ? AND ended = ?"
        row = self._db.execute(query, (self._connection, *key, event)).fetchone()
        return str(row[0]) if row and row[0] else None

    def _log(
        self, event: int, key: Key, login: str | None, kind: str, what: str, before: str | None, after: str | None
    ) -> None:
        """Before the first picture there is nothing to be different from."""
        self._db.execute(
            "INSERT INTO change_log (connection, event, kind, type, resource_id, login, what, before, after) "
            "SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM connections WHERE id = ? AND baseline IS NOT NULL",
            (event, kind, *key, login, what, before, after, self._connection),
        )


def _fields(r: Resource) -> tuple[str | None, ...]:
    profile = compact(dict(r.profile)) if r.profile else "{}"
    return (r.status, r.name, r.login, r.email, str(r.parent) if r.parent else None, profile)
