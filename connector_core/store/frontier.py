"""The frontier of a running sync: its open cursors. When none is left, the reading is over."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from attrs import frozen

from connector_core.convert import compact
from connector_core.model import Cursor, Key, Page, Resource
from connector_core.store.columns import FIELDS, resource_of
from connector_core.store.database import transaction

NO_STREAM = "*"  # of rows and grants that no stream gave
BARREN_PAGES = 100  # pages of a stream that may bring nothing new at all (P08, P16)
_NAMELESS_PAGES = 10  # pages that may hold nothing but rows without an id: a server may give the same for ever (P03)


@frozen
class Task:
    """One open cursor: it asks for a page at ``cursor``, or for one ``resource``, here as it was last seen."""

    id: int
    stream: str
    reading: int
    cursor: Cursor | None
    resource: Resource | None

    @property
    def key(self) -> Key | None:
        return self.resource.key if self.resource else None


class Frontier:
    """The cursors of one running sync. Used by one thread."""

    def __init__(self, db: sqlite3.Connection, connection: int, sync: int) -> None:
        self._db = db
        self._connection = connection
        self._sync = sync
        query = "SELECT coalesce(max(answered), 0) FROM frontier WHERE sync = ?"
        self._answered: int = db.execute(query, (sync,)).fetchone()[0]

    # -- what is open --------------------------------------------------------------------------------------

    def open_tasks(self, limit: int, taken: Iterable[int]) -> list[Task]:
        """The first open cursors that are not among ``taken``."""
        busy = set(taken)
        query = "SELECT * FROM frontier WHERE sync = ? AND state = 'open' ORDER BY id LIMIT ?"
        rows = self._db.execute(query, (self._sync, limit + len(busy))).fetchall()
        return [self._task(row) for row in rows if row["id"] not in busy][:limit]

    def is_open(self, task: Task) -> bool:
        """Whether its answer is still wanted: a stream may have ended, or been restarted, while it was asked for."""
        row = self._db.execute("SELECT state FROM frontier WHERE id = ?", (task.id,)).fetchone()
        return row is not None and row["state"] == "open"

    def is_first(self, stream: str) -> bool:
        """Whether a sync without this stream has read nothing: the one that reading begins with, and its first."""
        query = "SELECT stream FROM frontier WHERE sync = ? AND kind = 'page' AND root AND stream <> '' ORDER BY id"
        row = self._db.execute(query, (self._sync,)).fetchone()
        return stream in ("", row["stream"] if row else "")

    def not_looked_up(self) -> int:
        """Resources that were to be read by their id, and could not be."""
        query = "SELECT count(*) FROM frontier WHERE sync = ? AND kind = 'lookup' AND state = 'failed'"
        count: int = self._db.execute(query, (self._sync,)).fetchone()[0]
        return count

    def _task(self, row: sqlite3.Row) -> Task:
        position = json.loads(row["position"])
        if row["kind"] == "lookup":
            return Task(row["id"], row["stream"], row["reading"], None, self._last_seen(Key(*position)))
        cursor = Cursor(row["stream"], position, row["idx"])
        return Task(row["id"], row["stream"], row["reading"], cursor, None)

    def _last_seen(self, key: Key) -> Resource:
        """As this sync read it, else as the picture has it."""
        columns = f"SELECT ?1 AS type, ?2 AS id, {', '.join(FIELDS)} FROM"
        query = (
            f"{columns} temp.seen JOIN staged USING (seq) WHERE seen.type = ?1 AND seen.id = ?2 AND changed "
            f"UNION ALL {columns} current_resources WHERE type = ?1 AND id = ?2 AND connection = ?3"
        )
        row = self._db.execute(query, (*key, self._connection)).fetchone()
        return Resource(type=key.type, id=key.id) if row is None else resource_of(row)

    # -- opening -------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Open the cursor that all reading begins with."""
        self._open("page", Cursor(""), 1, root=True)

    def read_again(self, stream: str) -> None:
        """Open the first cursors of a stream once more, as its second reading."""
        self._db.execute(
            "INSERT OR IGNORE INTO frontier (sync, kind, stream, reading, position, idx, root) "
            "SELECT sync, kind, stream, 2, position, idx, 1 FROM frontier "
            "WHERE sync = ? AND kind = 'page' AND stream = ? AND reading = 1 AND root",
            (self._sync, stream),
        )

    def look_up(self, stream: str, keys: Iterable[Key], reading: int = 1) -> None:
        """Open a cursor for each of these resources: it is to be read by its id."""
        with transaction(self._db):
            for key in keys:
                self._open("lookup", Cursor(stream, list(key)), reading, root=False)

    def restart(self, task: Task) -> int:
        """Open the first cursors of a stream's reading again (P13); how often that was done by now."""
        mine = (self._sync, task.stream, task.reading)
        which = "sync = ? AND kind = 'page' AND stream = ? AND reading = ?"
        self._db.execute(f"DELETE FROM frontier WHERE {which} AND NOT root", mine)
        self._db.execute(
            "UPDATE frontier SET state = 'open', restarts = restarts + 1, total = NULL, rows = NULL, new_rows = NULL, "
            f"start = NULL, first = NULL, last = NULL, cut = 0, unreadable = 0, rejected = 0, warned = 0 WHERE {which}",
            mine,
        )
        count: int = self._db.execute(f"SELECT max(restarts) FROM frontier WHERE {which}", mine).fetchone()[0]
        return count

    # -- closing -------------------------------------------------------------------------------------------

    def page_done(self, task: Task, page: Page, new_rows: int, contradicting: int = 0) -> None:
        """Close a page's cursor and open those that follow, unless the page shows that its walk is over.

        :param contradicting: rows that this reading gave before with other content: they count as rejected.
        """
        rows = page.span.rows if page.span else len(page.resources) + len(page.rejected) or len(page.grants)
        cut = self._follow(task, page, rows, new_rows)
        span = (page.span.start, page.span.first, page.span.last) if page.span else (None, None, None)
        unreadable = sum(1 for row in page.rejected if row.key is None) + contradicting
        self._answered += 1
        self._db.execute(
            "UPDATE frontier SET state = 'done', answered = ?, total = ?, rows = ?, new_rows = ?, start = ?, "
            "first = ?, "
            "last = ?, cut = ?, unreadable = ?, rejected = ?, warned = ? WHERE id = ?",
            (
                self._answered, page.total, rows, new_rows, *span, cut, unreadable,
                len(page.rejected) + contradicting, _is_warning_alone(page, task.stream), task.id,
            ),
        )  # fmt: skip

    def page_failed(self, task: Task) -> None:
        """Give up a page that was not answered, after retries: its stream is not whole."""
        self._db.execute("UPDATE frontier SET state = 'failed' WHERE id = ?", (task.id,))

    def lookup_done(self, task: Task, *, failed: bool = False) -> None:
        self._db.execute("UPDATE frontier SET state = ? WHERE id = ?", ("failed" if failed else "done", task.id))

    def give_up_lookups(self) -> None:
        """Ask for no more single resources: those left count as neither seen nor gone."""
        self._db.execute(
            "UPDATE frontier SET state = 'failed' WHERE sync = ? AND kind = 'lookup' AND state = 'open'", (self._sync,)
        )

    def _follow(self, task: Task, page: Page, rows: int, new_rows: int) -> bool:
        """Open what follows; whether something was left out that the server says is there."""
        over = self._walk_is_over(task, page, rows, new_rows)
        cut = False
        for cursor in page.next:
            if cursor.stream != task.stream:
                self._open("page", cursor, 1, root=True)
            elif over or not self._open("page", cursor, task.reading, root=False):  # A -> B -> A is a loop too
                cut = True
        if over and (rows > 2 or not _names_any(page)):
            # Pages of one or two rows may be covered by both their neighbours, so they prove nothing about later ones.
            self._drop_behind(task)
        return cut

    def _drop_behind(self, task: Task) -> None:
        index = task.cursor.index if task.cursor else None
        self._db.execute(
            "UPDATE frontier SET state = 'dropped' WHERE sync = ? AND kind = 'page' AND stream = ? AND reading = ? "
            "AND state = 'open' AND idx > ?",  # never true where there is no index
            (self._sync, task.stream, task.reading, index),
        )

    def _walk_is_over(self, task: Task, page: Page, rows: int, new_rows: int) -> bool:
        if new_rows:
            return False
        if _names_any(page):  # and none of them new (P03)
            return True
        if page.span is not None and not rows:  # an empty page of a numbered listing
            return True
        mine = (self._sync, task.stream, task.reading)
        which = "frontier WHERE sync = ? AND stream = ? AND reading = ? AND new_rows = 0"
        barren, nameless = self._db.execute(f"SELECT count(*), total(rows > 0) FROM {which}", mine).fetchone()
        return bool(barren >= BARREN_PAGES or (rows and nameless >= _NAMELESS_PAGES))

    def _open(self, kind: str, cursor: Cursor, reading: int, *, root: bool) -> bool:
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO frontier (sync, kind, stream, reading, position, idx, root) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._sync, kind, cursor.stream, reading, compact(cursor.position), cursor.index, root),
        )
        return inserted.rowcount == 1


def _is_warning_alone(page: Page, stream: str) -> bool:
    """Whether a warning stands in place of rows. A page that hands out other streams, or says what exists, has some."""
    others = page.entitlements or any(cursor.stream != stream for cursor in page.next)
    return bool(page.warnings) and not (page.resources or page.grants or page.rejected or others)


def _names_any(page: Page) -> bool:
    """Whether it names anything at all, if only in a row that cannot be read."""
    return bool(page.resources or page.grants or any(row.key for row in page.rejected))
