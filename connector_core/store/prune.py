"""Forgetting old history: pictures before a certain event are dropped; the current one is never touched."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from connector_core.model import Pruned

_KEPT = 2  # published syncs that always stay: `changes` compares the last two


def oldest_to_keep(db: sqlite3.Connection, connection: int, *, before: str | None, newest: int | None) -> int | None:
    """The event whose picture shall be the oldest one that can be shown, or None where nothing is to be forgotten.

    :param before: that of this moment can still be shown, and later ones.
    :param newest: so many published syncs can still be shown. With both, the older of the two.
    """
    cuts = []
    if before is not None:
        query = "SELECT max(id) FROM events WHERE connection = ? AND at <= ?"
        cuts.append(db.execute(query, (connection, before)).fetchone()[0])
    for count in (_KEPT, *([] if newest is None else [max(newest, 1)])):
        published = "SELECT event FROM sync_runs WHERE connection = ? AND event IS NOT NULL"
        row = db.execute(f"{published} ORDER BY event DESC LIMIT 1 OFFSET ?", (connection, count - 1)).fetchone()
        cuts.append(row and row[0])
    return None if None in cuts else min(cuts)


def prune(db: sqlite3.Connection, connection: int, oldest: int) -> Pruned:
    """Forget what was before that event, in the caller's transaction; how many rows that were.

    Events stay, since the picture says since when it holds what it holds; so does the journal, and the last complete
    sync.
    """
    names = {"connection": connection, "oldest": oldest}

    def forget(what: str) -> int:
        return db.execute(f"DELETE FROM {what}", names).rowcount

    versions = sum(
        forget(f"{table} WHERE connection = :connection AND ended <= :oldest")
        for table in ("resource_history", "grant_history")
    )
    changes = forget("change_log WHERE connection = :connection AND event <= :oldest")
    forget(
        "logs WHERE connection = :connection AND at < (SELECT at FROM events WHERE id = :oldest) "
        "AND sync IS NOT (SELECT max(id) FROM sync_runs WHERE connection = :connection)"
    )
    syncs = forget(
        "sync_runs WHERE connection = :connection AND coalesce(event, id) < :oldest AND id <> "
        "(SELECT coalesce(max(id), 0) FROM sync_runs WHERE connection = :connection AND status = 'complete')"
    )
    db.execute("UPDATE connections SET pruned = :oldest WHERE id = :connection", names)
    at: str = db.execute("SELECT at FROM events WHERE id = :oldest", names).fetchone()[0]
    return Pruned(oldest=at, syncs=syncs, changes=changes, versions=versions)


def shrink(db: sqlite3.Connection) -> None:
    """Give the space back; where others use the file, later syncs will use it."""
    with suppress(sqlite3.OperationalError):
        db.execute("VACUUM")
