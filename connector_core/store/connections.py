"""The rows that everything else hangs on: connections, their resource types and entitlements, and events."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from connector_core.errors import UsageError
from connector_core.model import Entitlement, EntitlementKey, Key, ResourceType
from connector_core.store.companions import move_vault
from connector_core.store.database import transaction


@frozen(kw_only=True)
class ConnectionRef:
    """Which connection is meant: the one of this ``identity``.

    Where no configuration file holds an identity (None), it is the one of this ``name`` that has none there either.
    ``new``: it is being set up, so nothing that is kept under its name is its own.
    """

    name: str
    connector: str
    identity: str | None = None
    new: bool = False


def new_identity() -> str:
    """Return an identity that no other connection has."""
    return secrets.token_hex(16)


def connection_id(db: sqlite3.Connection, ref: ConnectionRef, *, revives: bool = True) -> int:
    """Return the row number of a connection; make its row where there is none, and bring its label up to date.

    :param revives: a connection that was removed is in use again.
    """
    row = find_connection(db, ref)
    if row is not None and row["removed"] is not None and not revives:
        return int(row["id"])
    if row is None or _is_outdated(db, row, ref):
        with _atomic(db):
            return _entered(db, ref)
    return int(row["id"])


def find_connection(db: sqlite3.Connection, ref: ConnectionRef) -> sqlite3.Row | None:
    """Return the row of a connection, or None where the state knows nothing of it."""
    row = None
    if ref.identity is not None:
        row = db.execute("SELECT * FROM connections WHERE identity = ?", (ref.identity,)).fetchone()
    if row is None and not ref.new:
        # What was run before its configuration held an identity (an earlier version, a backup) is not lost.
        which = "name = ? AND removed IS NULL AND (? IS NULL OR (NOT configured AND connector = ?))"
        values = (ref.name, ref.identity, ref.connector)
        row = db.execute(f"SELECT * FROM connections WHERE {which}", values).fetchone()
    found: sqlite3.Row | None = row
    return found


def identity_of(db: sqlite3.Connection, ref: ConnectionRef) -> str:
    """Return the identity of a connection, made where it has none yet."""
    row = db.execute("SELECT identity FROM connections WHERE id = ?", (connection_id(db, ref),)).fetchone()
    return str(row["identity"])


def rename_connection(db: sqlite3.Connection, ref: ConnectionRef, new: str) -> bool:
    """Give a connection another label; whether the state knew it.

    :raises UsageError: another connection has that label.
    """
    row, other = find_connection(db, ref), _named(db, new)
    if row is not None and other is not None and other["id"] != row["id"]:
        raise UsageError(f"the state holds a history of {new!r} already", hint="choose a name that was never used")
    if row is not None:
        db.execute("UPDATE connections SET name = ? WHERE id = ?", (new, row["id"]))
    return row is not None


def mark_removed(db: sqlite3.Connection, connection: int, at: str) -> None:
    """Remember that the configuration holds a connection no longer. Its history stays; its name is free."""
    db.execute("UPDATE connections SET removed = ?, next_run = NULL WHERE id = ?", (at, connection))


def name_holder(db: sqlite3.Connection, connection: int, holder: str) -> None:
    """Remember who took the connection's lock last, for the message to who comes second."""
    db.execute("UPDATE connections SET holder = ? WHERE id = ?", (holder, connection))


def _is_outdated(db: sqlite3.Connection, row: sqlite3.Row, ref: ConnectionRef) -> bool:
    """Whether the row says something else of the connection than its configuration, which could be changed."""
    if row["name"] != ref.name and _is_free(_named(db, ref.name)):
        return True
    if row["removed"] is not None:
        return True
    return row["connector"] != ref.connector or (ref.identity is not None and row["identity"] != ref.identity)


def _entered(db: sqlite3.Connection, ref: ConnectionRef) -> int:
    """Make the row of a connection, or bring it up to date, in the caller's transaction."""
    row, other = find_connection(db, ref), _named(db, ref.name)
    is_labelled = row is None or _is_free(other)
    if other is not None and is_labelled and (row is None or other["id"] != row["id"]):
        # the name went to another connection; the history of the earlier one keeps a label of its own
        db.execute("UPDATE connections SET name = ? WHERE id = ?", (_earlier_label(other), other["id"]))
    if row is None:
        made = db.execute(
            "INSERT INTO connections (name, connector, identity, configured) VALUES (?, ?, ?, ?) RETURNING id",
            (ref.name, ref.connector, ref.identity or new_identity(), ref.identity is not None),
        )
        return int(made.fetchone()[0])
    if ref.identity is not None and row["identity"] != ref.identity:
        move_vault(db, row["identity"], ref.identity)
    db.execute(
        "UPDATE connections SET name = ?, connector = ?, identity = coalesce(?, identity), "
        "configured = max(configured, ?), removed = NULL WHERE id = ?",
        (
            ref.name if is_labelled else row["name"], ref.connector, ref.identity, ref.identity is not None,
            row["id"],
        ),
    )  # fmt: skip
    return int(row["id"])


def label_after(db: sqlite3.Connection, name: str) -> str | None:
    """Return the label that a connection of that name has once another one is set up under it, or None."""
    row = _named(db, name)
    return None if row is None else _earlier_label(row)


def _earlier_label(row: sqlite3.Row) -> str:
    return f"{row['name']} ({row['identity'][:8]})"


def _is_free(row: sqlite3.Row | None) -> bool:
    """Whether a label may go to a connection that is in use, from the one that has it."""
    return row is None or row["removed"] is not None


def _named(db: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute("SELECT * FROM connections WHERE name = ?", (name,)).fetchone()
    return row


@contextmanager
def _atomic(db: sqlite3.Connection) -> Iterator[None]:
    """Part of the caller's transaction, or one of its own."""
    if db.in_transaction:
        yield
    else:
        with transaction(db):
            yield


def set_next_run(db: sqlite3.Connection, connection: int, at: str | None) -> None:
    """Remember when it is to be run again; None: it is not scheduled."""
    db.execute("UPDATE connections SET next_run = ? WHERE id = ?", (at, connection))


def put_resource_types(db: sqlite3.Connection, connection: int, types: tuple[ResourceType, ...]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO resource_types (connection, type, display_name, account, role, gives_all) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        [
            (connection, t.type, t.display_name, "user" in t.traits, "role" in t.traits, t.grants == "with_resource")
            for t in types
        ],
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


_DEFINED = ("name", "description", "privileged", "exclusive", "paid", "expands", "on_revoke")
ENTITLEMENT_COLUMNS = ", ".join(_DEFINED)
"""What is kept of an entitlement, its key apart: fields of the class and columns alike."""


def entitlement_of(r: sqlite3.Row) -> Entitlement:
    """Return what a row of ``known_entitlements`` says; ``note`` and ``falls_back_to`` are not stored."""
    return Entitlement(
        resource=Key(r["type"], r["resource_id"]), slug=r["slug"], name=r["name"], description=r["description"],
        privileged=bool(r["privileged"]), exclusive=r["exclusive"], paid=bool(r["paid"]), expands=bool(r["expands"]),
        on_revoke=r["on_revoke"],
    )  # fmt: skip


class EntitlementRows(dict[EntitlementKey, int]):
    """Row numbers of entitlements, added where there is none yet: a grant refers to its entitlement by number."""

    def __init__(self, db: sqlite3.Connection, connection: int) -> None:
        super().__init__()
        self._db = db
        self._connection = connection
        self.reload()

    def reload(self) -> None:
        """Read them again, as after a transaction that was rolled back."""
        query = "SELECT id, type, resource_id, slug FROM known_entitlements WHERE connection = ?"
        rows = self._db.execute(query, (self._connection,))
        self.clear()
        self.update((EntitlementKey(type, resource, slug), id) for id, type, resource, slug in rows)

    def define(self, entitlements: tuple[Entitlement, ...], sync: int | None = None) -> None:
        """Store what these entitlements are: at once, or as read in ``sync``, to be published with it."""
        rows = [(*(getattr(e, name) for name in _DEFINED), self[e.key], sync) for e in entitlements]
        if sync is None:
            update = f"UPDATE known_entitlements SET {', '.join(f'{name} = ?' for name in _DEFINED)} WHERE id = ?"
            self._db.executemany(update, [row[:-1] for row in rows])
        else:
            columns = f"{ENTITLEMENT_COLUMNS}, entitlement, sync"
            marks = ", ".join("?" * (len(_DEFINED) + 2))
            self._db.executemany(f"INSERT OR REPLACE INTO staged_entitlements ({columns}) VALUES ({marks})", rows)

    def __missing__(self, key: EntitlementKey) -> int:
        """Another process may have added it meanwhile: operations go ahead during a sync."""
        self._db.execute(
            "INSERT OR IGNORE INTO known_entitlements (connection, type, resource_id, slug, name) "
            "VALUES (?, ?, ?, ?, ?)",
            (self._connection, *key, key.slug),
        )
        query = "SELECT id FROM known_entitlements WHERE (connection, type, resource_id, slug) = (?, ?, ?, ?)"
        id: int = self._db.execute(query, (self._connection, *key)).fetchone()[0]
        self[key] = id
        return id
