"""What a running sync has read, durable page by page.

A page and its cursors are committed in one transaction, so that after a crash the frontier says exactly what is
missing. Nothing here is visible in the picture; `connector_core.store.publish` carries it there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from connector_core.clock import Clock, rfc3339
from connector_core.model import Entitlement, Page
from connector_core.store.connections import EntitlementRows
from connector_core.store.database import transaction
from connector_core.store.frontier import Frontier, Task
from connector_core.store.logs import LogBuffer
from connector_core.store.rows import Origin
from connector_core.store.stage import PageStage


class Staging:
    """The staging tables of one running sync. Used by one thread."""

    def __init__(self, db: sqlite3.Connection, connection: int, sync: int, clock: Clock, log: LogBuffer) -> None:
        self._db = db
        self._connection = connection
        self._sync = sync
        self._clock = clock
        self._log = log
        self._entitlements = EntitlementRows(db, connection)
        self.frontier = Frontier(db, connection, sync)
        self.commits = 0
        self._stage = PageStage(db, connection, sync, self._entitlements)
        self.same = self._stage.same

    # -- what was read so far ------------------------------------------------------------------------------

    def newest_mark(self) -> int:
        """Remembered with each request: what operations verify later has a higher operation_watermark."""
        query = "SELECT coalesce(max(operation_watermark), 0) FROM touched WHERE connection = ?"
        operation_watermark: int = self._db.execute(query, (self._connection,)).fetchone()[0]
        return operation_watermark

    def unknown(self) -> int:
        """Resources that were read, but not what they hold."""
        rows = self._one("count(*) FROM staged WHERE sync = ? AND state = 'row' AND unknown")
        return rows + self._one("count(DISTINCT type || ':' || id) FROM staged_unknown WHERE sync = ? AND id <> ''")

    def unknown_entitlements(self) -> int:
        """Entitlements of which it could not be read which principals hold them."""
        return self._one("count(DISTINCT entitlement) FROM staged_unknown WHERE sync = ? AND entitlement <> 0")

    def unlisted(self) -> tuple[int, str | None]:
        """Return how many hold something and are listed nowhere, now or earlier, and the first of them."""
        return self._db.execute(_UNLISTED, (self._connection,)).fetchone()[:2]  # type: ignore[no-any-return]

    def _one(self, what: str) -> int:
        figure: int = self._db.execute(f"SELECT {what}", (self._sync,)).fetchone()[0]
        return figure

    # -- committing ----------------------------------------------------------------------------------------

    def begin(self, static: tuple[Entitlement, ...]) -> None:
        """Open the cursor that all reading begins with; ``static`` exist whatever a listing says."""
        with self._committing(0):
            self._entitlements.define(static, self._sync)
            self.frontier.begin()

    def commit_page(self, task: Task, page: Page, asked: int, requests: int) -> int:
        """Rows in, cursor out, following cursors in: one transaction.

        :param requests: sent since the last commit.
        :returns: how many resources were new.
        """
        with self._committing(requests):
            self._entitlements.define(page.entitlements, self._sync)
            new_rows, grants, contradicting = self._stage.put(page, Origin(task.stream, asked, 1 << (task.reading - 1)))
            for key in contradicting:
                self._log.add("warning", f"{key} was listed twice with other content; the grants of both stand")
            self.frontier.page_done(task, page, new_rows + grants, len(contradicting))
            counted = "UPDATE sync_runs SET pages = pages + 1 WHERE id = ? AND ? <> ''"
            self._db.execute(counted, (self._sync, task.stream))
            return new_rows

    def commit_resource(self, task: Task, page: Page | None, asked: int, requests: int) -> None:
        """Take over one resource as it was just read by its id; None: it is proven gone."""
        assert task.key is not None
        with self._committing(requests):
            if page is None:
                self._stage.mark_gone(task.key, task.stream, asked)
            else:
                self._entitlements.define(page.entitlements, self._sync)
                self._stage.put(page, Origin(task.stream, asked, read_by_id=True))
            self.frontier.lookup_done(task)

    def fail_lookup(self, task: Task, requests: int, *, all: bool = False) -> None:
        """Give a resource up that could not be read by its id, or ``all`` of them: neither seen nor gone."""
        with self._committing(requests):
            self.frontier.lookup_done(task, failed=True)
            if all:
                self.frontier.give_up_lookups()

    def fail_page(self, task: Task, requests: int) -> None:
        """Give a page up that could not be read: its stream is not whole, and the others are read on."""
        with self._committing(requests):
            self.frontier.page_failed(task)

    def restart(self, task: Task, requests: int) -> int:
        """Forget what a reading of a stream whose cursors expired has brought, and restart it (P13).

        :returns: how often that was done by now.
        """
        with self._committing(requests):
            self._stage.forget(task.stream, 1 << (task.reading - 1))
            return self.frontier.restart(task)

    def keep_log(self) -> None:
        """While nothing comes that could be committed, what the log says of it is written all the same."""
        if self._log.is_waiting:
            with transaction(self._db):
                self._log.flush(self._db)

    @contextmanager
    def _committing(self, requests: int) -> Iterator[None]:
        """The transaction around one result; log lines gathered meanwhile go with it."""
        try:
            with transaction(self._db):
                yield
                self._db.execute(
                    "UPDATE sync_runs SET requests = requests + ?, alive = ? WHERE id = ?",
                    (requests, rfc3339(self._clock.now()), self._sync),
                )
                self._log.flush(self._db)
            self.commits += 1
        except BaseException:
            self._entitlements.reload()
            raise


_UNLISTED = """
SELECT count(*), min(principal_type || ':' || principal_id)
FROM (SELECT DISTINCT principal_type, principal_id FROM temp.seen_grants) g
WHERE NOT EXISTS (SELECT 1 FROM temp.seen s WHERE (s.type, s.id) = (principal_type, principal_id))
AND NOT EXISTS (SELECT 1 FROM current_resources r
    WHERE r.connection = ? AND (r.type, r.id) = (principal_type, principal_id))
"""
