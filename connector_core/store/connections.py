"""The rows that everything else hangs on: connections, their resource types and entitlements, and events."""

from __future__ import annotations

import sqlite3

from connector_core.errors import UsageError
from connector_core.model import Entitlement, EntitlementKey, ResourceType


def connection_id(db: sqlite3.Connection, name: str, connector: str) -> int:
    """The row of the connection of that name, made where there is none."""
    db.execute(
        "INSERT INTO connections (name, connector) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET connector = excluded.connector",
        (name, connector),
    )
    row = db.execute("SELECT id FROM connections WHERE name = ?", (name,)).fetchone()
    return int(row["id"])


def find_connection(db: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    """The row of the connection of that name, or None where it was never synced."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM connections WHERE name = ?", (name,)).fetchone()
    return row


def rename_connection(db: sqlite3.Connection, name: str, new: str) -> bool:
    """Let everything of a connection belong to another name; whether there was anything.

    :raises UsageError: something belongs to that name already.
    """
    if find_connection(db, name) is not None and find_connection(db, new) is not None:
        raise UsageError(f"the state holds a history of {new!r} already", hint="choose a name that was never used")
    return db.execute("UPDATE connections SET name = ? WHERE name = ?", (new, name)).rowcount > 0


def name_holder(db: sqlite3.Connection, name: str, holder: str) -> None:
    """Remember who took the connection's lock last, for the message to who comes second."""
    db.execute("UPDATE connections SET holder = ? WHERE name = ?", (holder, name))


def set_next_run(db: sqlite3.Connection, connection: int, at: str | None) -> None:
    """Remember when it is to be run again; None: nobody means to."""
    db.execute("UPDATE connections SET next_run = ? WHERE id = ?", (at, connection))


def put_resource_types(db: sqlite3.Connection, connection: int, types: tuple[ResourceType, ...]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO resource_types (connection, type, display_name, account, role) VALUES (?, ?, ?, ?, ?)",
        [(connection, t.type, t.display_name, "user" in t.traits, "role" in t.traits) for t in types],
    )


def new_number(db: sqlite3.Connection, connection: int) -> int:
    """A number for a resource that is new in the picture."""
    query = "UPDATE connections SET numbered = numbered + 1 WHERE id = ? RETURNING numbered"
    number: int = db.execute(query, (connection,)).fetchone()[0]
    return number


def new_event(db: sqlite3.Connection, connection: int, kind: str) -> int:
    """The next number of the one sequence. The event is in no picture until `publish_event`."""
    id = db.execute("INSERT INTO events (connection, kind) VALUES (?, ?)", (connection, kind)).lastrowid
    assert id is not None
    return id


def publish_event(db: sqlite3.Connection, connection: int, id: int, kind: str, at: str) -> int:
    """Enter the picture now: as event ``id``, or as a new one where a later event was published meanwhile.

    So event numbers follow the order in which the picture changed, whichever began first.
    """
    newest = head(db, connection)
    if newest is not None and newest > id:
        id = new_event(db, connection, kind)
    db.execute("UPDATE events SET at = ? WHERE id = ?", (at, id))
    return id


def head(db: sqlite3.Connection, connection: int) -> int | None:
    """The newest event of the picture, or None where nothing was ever published."""
    query = "SELECT max(id) FROM events WHERE connection = ? AND at IS NOT NULL"
    event: int | None = db.execute(query, (connection,)).fetchone()[0]
    return event


class EntitlementRows(dict[EntitlementKey, int]):
    """Row numbers of entitlements, added where there is none yet: a grant refers to its entitlement by number."""

    def __init__(self, db: sqlite3.Connection, connection: int) -> None:
        super().__init__()
        self._db = db
        self._connection = connection
        self.reload()

    def reload(self) -> None:
        """Read them anew, as after a transaction that was rolled back."""
        query = "SELECT id, type, resource_id, slug FROM entitlements WHERE connection = ?"
        rows = self._db.execute(query, (self._connection,))
        self.clear()
        self.update((EntitlementKey(type, resource, slug), id) for id, type, resource, slug in rows)

    def define(self, entitlements: tuple[Entitlement, ...], sync: int | None = None) -> None:
        """Store what these entitlements are: at once, or as read in ``sync``, to be published with it."""
        rows = [(e.name, e.exclusive, e.paid, e.expands, self[e.key], sync) for e in entitlements]
        if sync is None:
            update = "UPDATE entitlements SET name = ?, exclusive = ?, paid = ?, expands = ? WHERE id = ?"
            self._db.executemany(update, [row[:-1] for row in rows])
        else:
            self._db.executemany(
                "INSERT OR REPLACE INTO staged_entitlements (name, exclusive, paid, expands, entitlement, sync) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )

    def __missing__(self, key: EntitlementKey) -> int:
        """Another process may have added it meanwhile: operations go ahead during a sync."""
        self._db.execute(
            "INSERT OR IGNORE INTO entitlements (connection, type, resource_id, slug, name) VALUES (?, ?, ?, ?, ?)",
            (self._connection, *key, key.slug),
        )
        query = "SELECT id FROM entitlements WHERE (connection, type, resource_id, slug) = (?, ?, ?, ?)"
        id: int = self._db.execute(query, (self._connection, *key)).fetchone()[0]
        self[key] = id
        return id
