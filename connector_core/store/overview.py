"""How a connection is doing: its last syncs, and since when they fail."""

from __future__ import annotations

import sqlite3

from attrs import frozen

from connector_core.model import ErrorInfo, SyncInfo
from connector_core.store.connections import ConnectionRef, find_connection
from connector_core.store.runs import error_of, sync_info


@frozen(kw_only=True)
class Overview:
    """``last``: the last sync, with its ``error``. ``failing_since``: when the first of the failures in a row ended.

    ``next_run``: when the process that runs it every so often means to begin again. ``identity``: None where the state
    knows nothing of it.
    """

    last: SyncInfo | None = None
    error: ErrorInfo | None = None
    failing_since: str | None = None
    last_complete: str | None = None
    next_run: str | None = None
    identity: str | None = None


def overview(db: sqlite3.Connection, ref: ConnectionRef) -> Overview:
    """How a connection is doing; nothing is known of one that was never synced."""
    row = find_connection(db, ref)
    if row is None:
        return Overview()
    query = "SELECT * FROM sync_runs WHERE connection = ? ORDER BY id DESC LIMIT 1"
    last = db.execute(query, (row["id"],)).fetchone()
    if last is None:
        return Overview(next_run=row["next_run"], identity=row["identity"])
    complete = "SELECT max(finished) FROM sync_runs WHERE connection = ? AND status = 'complete'"
    return Overview(
        last=sync_info(last), error=error_of(last), failing_since=_failing_since(db, row["id"]),
        last_complete=db.execute(complete, (row["id"],)).fetchone()[0], next_run=row["next_run"],
        identity=row["identity"],
    )  # fmt: skip


def _failing_since(db: sqlite3.Connection, connection: int) -> str | None:
    query = (
        "SELECT min(finished) FROM sync_runs WHERE connection = ?1 AND status = 'failed' AND id > coalesce("
        "(SELECT max(id) FROM sync_runs WHERE connection = ?1 AND status IN ('complete', 'incomplete', 'held')), 0)"
    )
    since: str | None = db.execute(query, (connection,)).fetchone()[0]
    return since
