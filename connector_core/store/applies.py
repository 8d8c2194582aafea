"""Applies of plans as rows: which are under way, which plan was carried out, and what was done for it."""

from __future__ import annotations

import sqlite3

from attrs import frozen

from connector_core.clock import Clock, rfc3339
from connector_core.convert import compact
from connector_core.model import Json
from connector_core.store.connections import new_event
from connector_core.store.database import transaction
from connector_core.store.journal import Requester


@frozen(kw_only=True)
class Applies:
    """The applies of one connection. A plan is known by its digest."""

    db: sqlite3.Connection
    connection: int
    clock: Clock

    def begin(self, digest: str, plan: Json, asked: Requester) -> int:
        """Write down that a plan is being carried out; its number."""
        with transaction(self.db):
            id = new_event(self.db, self.connection, "operation")
            self.db.execute(
                "INSERT INTO applies (id, connection, digest, plan, status, who, reason, started) "
                "VALUES (?, ?, ?, ?, 'running', ?, ?, ?)",
                (id, self.connection, digest, compact(plan), asked.who, asked.reason, rfc3339(self.clock.now())),
            )
        return id

    def finish(self, id: int, status: str) -> None:
        """Write down how far it came."""
        now = rfc3339(self.clock.now())
        with transaction(self.db):
            self.db.execute("UPDATE applies SET status = ?, finished = ? WHERE id = ?", (status, now, id))

    def carried_out(self, digest: str) -> tuple[int, str] | None:
        """Number and end of the apply that carried that plan out in full; None where there was none."""
        query = (
            "SELECT id, finished FROM applies WHERE connection = ? AND digest = ? AND status = 'complete' "
            "ORDER BY id LIMIT 1"
        )
        row = self.db.execute(query, (self.connection, digest)).fetchone()
        return row and (row["id"], row["finished"])
