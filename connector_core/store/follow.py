"""The picture follows an operation at once: one account as it is now, with history and changes, as one event."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Set

from attrs import frozen

from connector_core.clock import Clock, rfc3339
from connector_core.model import AccessRow, Entitlement, EntitlementKey, Key, Resource
from connector_core.store.access import AccessRows
from connector_core.store.activity import keep_activity
from connector_core.store.columns import COLUMNS, FIELDS, Fields, Value, as_text, name_keys, resource_of, values_of
from connector_core.store.connections import EntitlementRows, entitlement_of, new_number, publish_event
from connector_core.store.labels import role_names
from connector_core.store.rows import HELD_NOW

ANY_STREAM = ("*", 0)  # the source of a grant that no stream has given yet
_RESOURCE = "WHERE connection = ? AND type = ? AND id = ?"
_GRANT = "WHERE connection = ? AND principal_type = ? AND principal_id = ? AND entitlement = ?"
_INSERT = (
    f"INSERT INTO current_resources ({COLUMNS}, number) VALUES (:connection, :type, :id, "
    f"{', '.join(f':{name}' for name in FIELDS)}, :began, :since, {name_keys(':')}, :number)"
)


@frozen(kw_only=True)
class AccountSnapshot:
    """An account as an operation left it. ``resource`` None: it is gone. ``confirmed``: what it holds was read back.

    ``listed_elsewhere``: grants that stand as they are, as a read of the account says nothing about them.
    """

    key: Key
    resource: Resource | None
    held: Set[EntitlementKey] = frozenset()
    confirmed: bool = True
    listed_elsewhere: Set[EntitlementKey] = frozenset()


class Follower:
    """Carries one account over into the picture, in the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, connection: int, clock: Clock) -> None:
        self._db = db
        self._connection = connection
        self._clock = clock
        self._entitlements = EntitlementRows(db, connection)

    def follow(self, operation: int, now: AccountSnapshot) -> int:
        """Enter what ``operation`` led to; the event in which it entered. Pages asked for earlier yield to it."""
        event = publish_event(self._db, self._connection, operation, "operation", rfc3339(self._clock.now()))
        self._entitlements.reload()  # a sync may have added some meanwhile
        self._touch(now.key)
        self._resource(event, now)
        keep_activity(self._db, self._connection, now.key, now.resource)
        self._grants(event, now)
        self._db.execute(f"UPDATE current_resources SET held = {HELD_NOW} {_RESOURCE}", (self._connection, *now.key))
        return event

    def define(self, entitlements: tuple[Entitlement, ...]) -> None:
        """Store what these entitlements are: the connector's own exist without any sync."""
        self._entitlements.define(entitlements, None)

    def known(self) -> list[EntitlementKey]:
        """Every entitlement that was ever read or granted."""
        query = "SELECT type, resource_id, slug FROM known_entitlements WHERE connection = ?"
        return [EntitlementKey(*row) for row in self._db.execute(query, (self._connection,))]

    def role_names(self) -> dict[Key, str]:
        """What roles, groups and projects are called, by key (`connector_core.store.labels`)."""
        return role_names(self._db, self._connection)

    def defined(self, key: EntitlementKey) -> Entitlement | None:
        """What an entitlement is, as the last published sync read it; None where it was never read."""
        query = "SELECT * FROM known_entitlements WHERE (connection, type, resource_id, slug) = (?, ?, ?, ?)"
        row = self._db.execute(query, (self._connection, *key)).fetchone()
        return None if row is None else entitlement_of(row)

    def named(self, text: str, types: Collection[str]) -> list[Key]:
        """The resources of the picture, of these types, whose id or name that is."""
        query = (
            "SELECT type, id FROM current_resources WHERE connection = ? AND type IN (SELECT value FROM json_each(?)) "
            "AND (id = ? OR name_key(name) = name_key(?)) ORDER BY type, id"
        )
        return [Key(*row) for row in self._db.execute(query, (self._connection, json.dumps([*types]), text, text))]

    def inheritors(self, key: Key) -> Iterator[AccessRow]:
        """The accounts that inherit what a group holds."""
        query = "SELECT id FROM known_entitlements WHERE (connection, type, resource_id) = (?, ?, ?) AND expands"
        inherited = [row[0] for row in self._db.execute(query, (self._connection, *key))]
        return AccessRows(self._db, self._connection, "", None).of_holders(inherited)

    def resource(self, key: Key) -> Resource | None:
        """The account in the picture."""
        row = self._row(key)
        return None if row is None else resource_of(row)

    def held(self, key: Key) -> set[EntitlementKey]:
        """What the account holds in the picture."""
        rows = self._db.execute(
            "SELECT n.type, n.resource_id, n.slug FROM grants g JOIN known_entitlements n ON n.id = g.entitlement "
            "WHERE g.connection = ? AND g.principal_type = ? AND g.principal_id = ?",
            (self._connection, *key),
        )
        return {EntitlementKey(*row) for row in rows}

    def _touch(self, key: Key) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO touched SELECT ?1, ?2, ?3, coalesce(max(operation_watermark), 0) + 1 FROM touched "
            "WHERE connection = ?1",
            (self._connection, *key),
        )

    def _resource(self, event: int, now: AccountSnapshot) -> None:
        before = self._row(now.key)
        after = None if now.resource is None else values_of([now.resource])[0]
        if after == (None if before is None else tuple(before[name] for name in FIELDS)):
            return
        self._log_resource(event, now.key, before, after)
        mine = (self._connection, *now.key)
        if before is not None:
            into_history = f"INSERT INTO resource_history ({COLUMNS}, ended) SELECT {COLUMNS}, ? FROM current_resources"
            self._db.execute(f"{into_history} {_RESOURCE}", (event, *mine))
            self._db.execute(f"DELETE FROM current_resources {_RESOURCE}", mine)
        if after is not None:
            since = None if before is None else _first(before)
            number = new_number(self._db, self._connection) if before is None else before["number"]
            key = {"connection": self._connection, **now.key._asdict()}
            values = dict(zip(FIELDS, after, strict=True))
            self._db.execute(_INSERT, {**key, **values, "began": event, "since": since, "number": number})

    def _row(self, key: Key) -> sqlite3.Row | None:
        query = f"SELECT * FROM current_resources {_RESOURCE}"
        row: sqlite3.Row | None = self._db.execute(query, (self._connection, *key)).fetchone()
        return row

    def _log_resource(self, event: int, key: Key, before: sqlite3.Row | None, after: Fields | None) -> None:
        login = after[FIELDS.index("login")] if after else before["login"] if before else None
        if before is None or after is None:
            kind = "added" if before is None else "removed"
            label = login or key.id
            self._log(event, key, login, kind, "account", None if before is None else label, label if after else None)
            return
        for name, value in zip(FIELDS, after, strict=True):
            if before[name] != value:
                self._log(event, key, login, "changed", name, as_text(name, before[name]), as_text(name, value))

    def _grants(self, event: int, now: AccountSnapshot) -> None:
        before = self.held(now.key)
        ended = before - now.held - now.listed_elsewhere
        self._log_grants(event, now, ended, set(now.held) - before)
        for entitlement in ended | now.held:
            row = self._grant(now.key, entitlement)
            if row is None:
                self._begin(event, now, entitlement, ANY_STREAM)
            elif entitlement not in now.held:
                self._end(event, now.key, entitlement)
            elif bool(row["confirmed"]) != now.confirmed:
                self._end(event, now.key, entitlement)
                self._begin(event, now, entitlement, (row["source"], row["inline"]), _first(row))

    def _log_grants(
        self, event: int, now: AccountSnapshot, ended: Set[EntitlementKey], begun: Set[EntitlementKey]
    ) -> None:
        """A swap within an exclusive group is one changed row."""
        login = now.resource.login if now.resource else self._last_login(event, now.key)
        swaps = {e: b for b in begun for e in ended if self._exclusive(b) and self._exclusive(b) == self._exclusive(e)}
        for old, new in swaps.items():
            self._log(event, now.key, login, "changed", "grant", str(old), str(new))
        for new in sorted(begun - set(swaps.values())):
            self._log(event, now.key, login, "added", "grant", None, str(new))
        for old in sorted(ended - set(swaps)):
            self._log(event, now.key, login, "removed", "grant", str(old), None)

    def _grant(self, key: Key, entitlement: EntitlementKey) -> sqlite3.Row | None:
        mine = (self._connection, *key, self._entitlements[entitlement])
        row: sqlite3.Row | None = self._db.execute(f"SELECT * FROM grants {_GRANT}", mine).fetchone()
        return row

    def _end(self, event: int, key: Key, entitlement: EntitlementKey) -> None:
        mine = (self._connection, *key, self._entitlements[entitlement])
        columns = "connection, principal_type, principal_id, entitlement, began, since, confirmed"
        self._db.execute(
            f"INSERT INTO grant_history ({columns}, ended) SELECT {columns}, ? FROM grants {_GRANT}", (event, *mine)
        )
        self._db.execute(f"DELETE FROM grants {_GRANT}", mine)

    def _begin(
        self,
        event: int,
        now: AccountSnapshot,
        entitlement: EntitlementKey,
        origin: tuple[str, int],
        since: int | None = None,
    ) -> None:
        self._db.execute(
            "INSERT INTO grants (connection, principal_type, principal_id, entitlement, began, since, source, inline, "
            "confirmed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._connection, *now.key, self._entitlements[entitlement], event, since, *origin, now.confirmed,
            ),
        )  # fmt: skip

    def _exclusive(self, entitlement: EntitlementKey) -> str | None:
        query = "SELECT exclusive FROM known_entitlements WHERE id = ?"
        group: str | None = self._db.execute(query, (self._entitlements[entitlement],)).fetchone()[0]
        return group

    def _last_login(self, event: int, key: Key) -> str | None:
        query = "SELECT login FROM resource_history WHERE connection = ? AND type = ? AND id = ? AND ended = ?"
        row = self._db.execute(query, (self._connection, *key, event)).fetchone()
        return str(row[0]) if row and row[0] else None

    def _log(self, event: int, key: Key, login: Value, kind: str, what: str, before: Value, after: Value) -> None:
        """Before the first picture there is nothing to be different from."""
        self._db.execute(
            "INSERT INTO change_log (connection, event, kind, type, resource_id, login, what, before, after) "
            "SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM connections WHERE id = ? AND baseline IS NOT NULL",
            (event, kind, *key, login, what, before, after, self._connection),
        )


def _first(row: sqlite3.Row) -> int:
    """The event in which the first version began."""
    first: int = row["began"] if row["since"] is None else row["since"]
    return first
