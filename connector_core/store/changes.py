"""The log of changes: differences between pictures, with the requester where an operation made them."""

from __future__ import annotations

import sqlite3

from connector_core.model import Change


def changes_where(db: sqlite3.Connection, connection: int, which: str, *values: object) -> tuple[Change, ...]:
    """Rows of the log, in their order. ``which`` is SQL over ``change_log l``, with ``values`` bound."""
    query = (
        "SELECT s.id AS sync, j.id AS operation, e.at, l.kind, l.resource_id AS user_id, l.login AS user, l.what, "
        "l.before, l.after, j.who AS requested_by, j.reason FROM change_log l JOIN events e ON e.id = l.event "
        "LEFT JOIN sync_runs s ON s.event = e.id LEFT JOIN journal j ON j.event = e.id "
        f"WHERE l.connection = ? AND {which} ORDER BY l.event, l.id"
    )
    return tuple(Change(**dict(row)) for row in db.execute(query, (connection, *values)))
