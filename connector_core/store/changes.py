"""The log of changes: differences between pictures, with the requester where an operation made them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from connector_core.model import Change


def changes_where(
    db: sqlite3.Connection, connection: int, which: str, *values: object, by_person: bool = False
) -> Iterator[Change]:
    """Rows of the log, in their order. ``which`` is SQL over ``change_log l``, with ``values`` bound.

    :param by_person: within each moment ordered by login.
    """
    order = "e.at, coalesce(nullif(l.login, ''), l.resource_id), l.event, l.id" if by_person else "l.event, l.id"
    query = (
        "SELECT s.id AS sync, j.id AS operation, e.at, l.kind, l.resource_id AS user_id, l.login AS user, l.what, "
        "l.before, l.after, j.who AS requested_by, j.reason FROM change_log l JOIN events e ON e.id = l.event "
        "LEFT JOIN sync_runs s ON s.event = e.id LEFT JOIN journal j ON j.event = e.id "
        f"WHERE l.connection = ? AND {which} ORDER BY {order}"
    )
    return (Change(**dict(row)) for row in db.execute(query, (connection, *values)))
