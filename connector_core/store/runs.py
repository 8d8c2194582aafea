"""Syncs as rows: begun or resumed, kept alive, finished."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime

from attrs import frozen

from connector_core.clock import Clock, rfc3339
from connector_core.convert import compact, from_json, to_json
from connector_core.model import ErrorInfo, SyncInfo, SyncStatus
from connector_core.store.connections import new_event
from connector_core.store.database import transaction


@frozen(kw_only=True)
class ReadFingerprint:
    """Under which terms pages were read: they mix only with pages read under the same.

    ``version`` of the connector; ``reading``: digest of the settings that decide what is read; ``address``: digest of
    those that say where.
    """

    version: str
    reading: str
    address: str


def resumable(
    db: sqlite3.Connection, connection: int, terms: ReadFingerprint, within: float, clock: Clock
) -> tuple[int | None, str | None]:
    """The interrupted sync to resume, or None and why the last one is not it (None: there is nothing to say)."""
    row = db.execute("SELECT * FROM sync_runs WHERE connection = ? ORDER BY id DESC LIMIT 1", (connection,)).fetchone()
    if row is None or row["status"] not in ("running", "interrupted") or row["event"] is not None:
        return None, None
    age = abs(clock.now() - datetime.fromisoformat(row["alive"]).timestamp())
    if age > within:
        return None, f"sync {row['id']} stopped {age / 60:.0f} minutes ago, too long to resume it"
    if row["version"] != terms.version:
        return None, f"sync {row['id']} was begun by version {row['version']} of the connector"
    if (row["reading"], row["address"]) != (terms.reading, terms.address):
        return None, f"sync {row['id']} was begun with other settings"
    return int(row["id"]), None


def resume(db: sqlite3.Connection, sync: int, clock: Clock) -> None:
    with transaction(db):
        db.execute(
            "UPDATE sync_runs SET status = 'running', resumed = 1, finished = NULL, error = NULL, reason = NULL, "
            "alive = ? WHERE id = ?",
            (rfc3339(clock.now()), sync),
        )


def begin(db: sqlite3.Connection, connection: int, terms: ReadFingerprint, clock: Clock) -> int:
    """A new sync. What an earlier one had staged is dropped; one that still says it is running died."""
    now = rfc3339(clock.now())
    with transaction(db):
        discard_staged(db, connection)
        db.execute(
            "UPDATE sync_runs SET status = 'interrupted', finished = alive WHERE connection = ? AND status = 'running'",
            (connection,),
        )
        sync = new_event(db, connection, "sync")
        db.execute(
            "INSERT INTO sync_runs (id, connection, status, phase, started, alive, version, reading, address, "
            "operation_watermark) "
            "VALUES (?, ?, 'running', 'reading', ?, ?, ?, ?, ?, "
            "(SELECT coalesce(max(operation_watermark), 0) FROM touched WHERE connection = ?))",
            (sync, connection, now, now, terms.version, terms.reading, terms.address, connection),
        )
    return sync


def set_phase(db: sqlite3.Connection, sync: int, phase: str) -> None:
    db.execute("UPDATE sync_runs SET phase = ? WHERE id = ?", (phase, sync))


def finish(
    db: sqlite3.Connection, sync: int, status: SyncStatus, seconds: float, clock: Clock, *,
    requests: int = 0, reason: str | None = None, error: ErrorInfo | None = None,
) -> None:  # fmt: skip
    """Write how a sync ended, in the caller's transaction.

    :param seconds: of this run; with ``requests`` not counted yet, added to what earlier runs took.
    """
    db.execute(
        "UPDATE sync_runs SET status = :status, finished = :now, seconds = seconds + :seconds, "
        "requests = requests + :requests, reason = :reason, error = :error, rejected = :rejected WHERE id = :sync",
        {
            "sync": sync, "status": status, "now": rfc3339(clock.now()), "seconds": seconds, "requests": requests,
            "reason": reason, "error": compact(to_json(error)) if error else None, "rejected": rejected(db, sync),
        },
    )  # fmt: skip


def rejected(db: sqlite3.Connection, sync: int) -> int:
    """Rows of a sync that could not be read, with and without a readable id."""
    query = (
        "SELECT (SELECT count(*) FROM staged WHERE sync = ?1 AND state <> 'row' AND state = 'rejected') + "
        "(SELECT count(*) FROM (SELECT DISTINCT type, id FROM also_listed WHERE sync = ?1 AND rejected)) + "
        "(SELECT coalesce(sum(unreadable), 0) FROM frontier WHERE sync = ?1 AND reading = 1)"
    )
    count: int = db.execute(query, (sync,)).fetchone()[0]
    return count


def discard_staged(db: sqlite3.Connection, connection: int) -> None:
    """Empty the staging tables of a connection's syncs."""
    mine = "sync IN (SELECT id FROM sync_runs WHERE connection = ?)"
    alone = db.execute(f"SELECT NOT EXISTS (SELECT 1 FROM frontier WHERE NOT {mine})", (connection,)).fetchone()[0]
    for table in _STAGED:
        if alone:  # a table emptied as a whole is not gone through row by row
            db.execute(f"DELETE FROM {table}")
        else:
            db.execute(f"DELETE FROM {table} WHERE {mine}", (connection,))


_STAGED = (
    "staged", "staged_same", "staged_activity", "staged_grants", "staged_entitlements", "staged_unknown",
    "also_listed", "frontier",
)  # fmt: skip


def sync_row(db: sqlite3.Connection, sync: int) -> sqlite3.Row:
    row: sqlite3.Row = db.execute("SELECT * FROM sync_runs WHERE id = ?", (sync,)).fetchone()
    return row


def error_of(row: sqlite3.Row) -> ErrorInfo | None:
    """Why a sync failed, or None."""
    return from_json(json.loads(row["error"]), ErrorInfo, what="sync") if row["error"] else None


def sync_info(row: sqlite3.Row) -> SyncInfo:
    """A row of ``sync_runs`` as the value that people see."""
    return SyncInfo(
        id=row["id"], status=row["status"], started=row["started"], finished=row["finished"], event=row["event"],
        resumed=bool(row["resumed"]), pages=row["pages"], requests=row["requests"],
        seconds=round(row["seconds"], 3), reason=row["reason"],
    )  # fmt: skip
