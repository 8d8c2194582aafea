"""What a running sync has read and what it has still to ask for, durable page by page.

A page and its cursors are committed in one transaction, so that after a crash the frontier says exactly what is
missing. Nothing here is visible in the picture; `connector_core.store.publish` carries it there.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from attrs import frozen

from connector_core.clock import Clock, rfc3339
from connector_core.convert import compact
from connector_core.model import Cursor, Grant, Key, Page, Resource
from connector_core.store.connections import EntitlementRows
from connector_core.store.database import transaction
from connector_core.store.logs import LogBuffer

_BARREN_PAGES = 100  # pages of a stream that may bring nothing at all (P08, P16)
_FIELDS = ("name", "login", "email", "status", "parent", "profile")
_ID_IN = "id IN (SELECT value FROM json_each(?))"  # one parameter, however many rows a page has
_NOTHING = (None,) * len(_FIELDS)


@frozen
class Task:
    """One open cursor. ``key`` is set where it asks for one resource, ``cursor`` where it asks for a page."""

    id: int
    kind: str
    stream: str
    reading: int
    cursor: Cursor | None
    key: Key | None


@frozen
class Committed:
    """What a commit brought: rows, ids not seen before in this reading; ``late`` where the walk had ended meanwhile."""

    rows: int = 0
    fresh: int = 0
    late: bool = False


class Staging:
    """The staging tables of one running sync. Used by one thread."""

    def __init__(self, db: sqlite3.Connection, connection: int, sync: int, clock: Clock, log: LogBuffer) -> None:
        self._db = db
        self._connection = connection
        self._sync = sync
        self._clock = clock
        self._log = log
        self._entitlements = EntitlementRows(db, connection)
        query = "SELECT EXISTS (SELECT 1 FROM resources WHERE connection = ?)"
        self._has_picture = bool(db.execute(query, (connection,)).fetchone()[0])

    # -- the frontier --------------------------------------------------------------------------------------

    def open_tasks(self, limit: int, besides: Iterable[int]) -> list[Task]:
        """The first open cursors that are not among ``besides``."""
        busy = set(besides)
        query = "SELECT * FROM frontier WHERE sync = ? AND state = 'open' ORDER BY id LIMIT ?"
        rows = self._db.execute(query, (self._sync, limit + len(busy))).fetchall()
        return [_task(row) for row in rows if row["id"] not in busy][:limit]

    def begin_reading(self) -> None:
        """Open the cursor that all reading begins with."""
        with transaction(self._db):
            self._open("page", Cursor(""), 1, root=True)

    def read_again(self, stream: str) -> None:
        """Open the first cursors of a stream once more, as its second reading."""
        with transaction(self._db):
            self._db.execute(
                "INSERT OR IGNORE INTO frontier (sync, kind, stream, reading, position, idx, root) "
                "SELECT sync, kind, stream, 2, position, idx, 1 FROM frontier "
                "WHERE sync = ? AND kind = 'page' AND stream = ? AND reading = 1 AND root",
                (self._sync, stream),
            )

    def restart(self, stream: str) -> None:
        """Forget what a stream whose cursors expired has brought, and open its first cursors again (P13)."""
        mine = (self._sync, stream)
        with transaction(self._db):
            self._db.execute("DELETE FROM frontier WHERE sync = ? AND stream = ? AND NOT root", mine)
            self._db.execute("DELETE FROM staged WHERE sync = ? AND stream = ?", mine)
            self._db.execute("DELETE FROM staged_grants WHERE sync = ? AND stream = ?", mine)
            self._db.execute("DELETE FROM frontier WHERE sync = ? AND stream = ? AND reading > 1", mine)
            self._db.execute(
                "UPDATE frontier SET state = 'open', total = NULL, rows = NULL, fresh = NULL, start = NULL, "
                "first = NULL, last = NULL WHERE sync = ? AND stream = ?",
                mine,
            )

    def confirm(self, keys: Iterable[tuple[str, Key]]) -> None:
        """Open a cursor for each ``(stream, key)``: the resource is to be read by its id."""
        with transaction(self._db):
            for stream, key in keys:
                self._open("confirm", Cursor(stream, list(key)), 1, root=False)

    def newest_mark(self) -> int:
        """Remembered with each request: what operations verify later has a higher mark."""
        query = "SELECT coalesce(max(mark), 0) FROM touched WHERE connection = ?"
        mark: int = self._db.execute(query, (self._connection,)).fetchone()[0]
        return mark

    # -- what was read so far ------------------------------------------------------------------------------

    def rejected(self) -> int:
        """Rows that could not be read."""
        unnamed = self._count("rejected FROM sync_runs WHERE id = ?")
        return unnamed + self._count("count(*) FROM staged WHERE sync = ? AND state = 'rejected'")

    def unknown(self) -> int:
        """Resources that were read, but not what they hold."""
        return self._count("count(*) FROM staged WHERE sync = ? AND state = 'row' AND unknown")

    def not_confirmed(self) -> int:
        """Resources that were not listed and could not be read by their id either."""
        return self._count("count(*) FROM frontier WHERE sync = ? AND kind = 'confirm' AND state = 'failed'")

    def _count(self, what: str) -> int:
        count: int = self._db.execute(f"SELECT {what}", (self._sync,)).fetchone()[0]
        return count

    # -- committing ----------------------------------------------------------------------------------------

    def commit_page(self, task: Task, page: Page, asked: int, requests: int) -> Committed:
        """Rows in, cursor out, following cursors in: one transaction."""
        with self._committing(task, requests) as still_open:
            if not still_open:
                return Committed(late=True)
            self._entitlements.define(page.entitlements, self._sync)
            self._count_unreadable(page, task)
            fresh = self._stage(page, task.stream, 1 << (task.reading - 1), asked, whole=False)
            rows = page.span.rows if page.span else len(page.resources) + len(page.rejected)
            self._go_on(task, page, rows, fresh)
            self._done(task, page, rows, fresh)
            return Committed(len(page.resources), fresh)

    def commit_resource(self, task: Task, page: Page | None, asked: int, requests: int) -> None:
        """Take over one resource as it was just read by its id; None: it is proven gone."""
        assert task.key is not None
        with self._committing(task, requests):
            if page is None:
                self._db.execute(
                    "INSERT INTO staged (sync, type, id, state, stream, readings, whole, asked, unknown, changed) "
                    "VALUES (?, ?, ?, 'gone', ?, 0, 1, ?, 0, 0) "
                    "ON CONFLICT (sync, type, id) DO UPDATE SET state = 'gone', asked = excluded.asked",
                    (self._sync, *task.key, task.stream, asked),
                )
            else:
                self._stage(page, task.stream, 0, asked, whole=True)
            self._db.execute("UPDATE frontier SET state = 'done' WHERE id = ?", (task.id,))

    def skip(self, task: Task) -> None:
        """Give a resource up that could not be read by its id: neither seen nor gone."""
        with transaction(self._db):
            self._db.execute("UPDATE frontier SET state = 'failed' WHERE id = ?", (task.id,))
            self._log.flush(self._db)

    @contextmanager
    def _committing(self, task: Task, requests: int) -> Iterator[bool]:
        """The transaction around one task's result; gives whether its cursor is still open."""
        try:
            with transaction(self._db):
                query = "SELECT state = 'open' FROM frontier WHERE id = ?"
                row = self._db.execute(query, (task.id,)).fetchone()
                yield row is not None and bool(row[0])
                self._db.execute(
                    "UPDATE sync_runs SET pages = pages + ?, requests = requests + ?, alive = ? WHERE id = ?",
                    (task.kind == "page" and task.stream != "", requests, rfc3339(self._clock.now()), self._sync),
                )
                self._log.flush(self._db)
        except BaseException:
            self._entitlements.reload()
            raise

    def _done(self, task: Task, page: Page, rows: int, fresh: int) -> None:
        span = (page.span.start, page.span.first, page.span.last) if page.span else (None, None, None)
        self._db.execute(
            "UPDATE frontier SET state = 'done', total = ?, rows = ?, fresh = ?, start = ?, first = ?, last = ? "
            "WHERE id = ?",
            (page.total, rows, fresh, *span, task.id),
        )

    def _go_on(self, task: Task, page: Page, rows: int, fresh: int) -> None:
        """Open the cursors that follow, unless this page shows that its walk is over."""
        over = self._walk_is_over(task, page, rows, fresh)
        for cursor in page.next:
            own = cursor.stream == task.stream
            if own and over:
                continue
            opened = self._open("page", cursor, task.reading if own else 1, root=not own)
            if own and not opened:  # A -> B -> A is a loop too
                self._db.execute("UPDATE frontier SET looped = 1 WHERE id = ?", (task.id,))
        if over and task.cursor and task.cursor.index is not None and (rows == 0 or rows > 2):
            # Pages of one or two rows may be covered by both their neighbours, so they prove nothing about later ones.
            self._db.execute(
                "UPDATE frontier SET state = 'dropped' WHERE sync = ? AND kind = 'page' AND stream = ? "
                "AND reading = ? AND state = 'open' AND idx > ?",
                (self._sync, task.stream, task.reading, task.cursor.index),
            )

    def _walk_is_over(self, task: Task, page: Page, rows: int, fresh: int) -> bool:
        if fresh:
            return False
        if rows:  # rows, and none of them new (P03)
            return True
        if page.span is not None:  # an empty page of a numbered listing
            return True
        query = "SELECT count(*) FROM frontier WHERE sync = ? AND stream = ? AND state = 'done' AND NOT fresh"
        barren: int = self._db.execute(query, (self._sync, task.stream)).fetchone()[0]
        return barren >= _BARREN_PAGES

    def _open(self, kind: str, cursor: Cursor, reading: int, *, root: bool) -> bool:
        inserted = self._db.execute(
            "INSERT OR IGNORE INTO frontier (sync, kind, stream, reading, position, idx, root) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (self._sync, kind, cursor.stream, reading, compact(cursor.position), cursor.index, root),
        )
        return inserted.rowcount == 1

    def _count_unreadable(self, page: Page, task: Task) -> None:
        """Rejected rows whose id is unreadable cannot be staged, so they are counted."""
        count = sum(1 for r in page.rejected if r.key is None)
        if count and task.reading == 1:
            self._db.execute("UPDATE sync_runs SET rejected = rejected + ? WHERE id = ?", (count, self._sync))

    # -- staging rows --------------------------------------------------------------------------------------

    def _stage(self, page: Page, stream: str, bit: int, asked: int, *, whole: bool) -> int:
        """Stage a page's rows and grants; how much of it was new in this reading."""
        unknown = set(page.unknown)
        fresh = 0
        seen_before: list[Key] = []
        for type, resources in _by_type(page.resources):
            before = self._staged_readings(type, [r.id for r in resources])
            current = self._current(type, [r.id for r in resources])
            rows = [
                (self._sync, type, r.id, stream, bit, whole, asked, r.key in unknown, *_difference(r, current))
                for r in resources
            ]
            self._db.executemany(_STAGE, rows)
            fresh += sum(1 for r in resources if not before.get(r.id, 0) & bit)
            seen_before += [Key(type, id) for id in before]
        fresh += self._stage_rejected(page, stream, bit, asked)
        self._unstage_grants(seen_before, stream, whole)
        new_grants = self._stage_grants(page.grants, stream)
        return fresh if page.resources or page.rejected else new_grants

    def _stage_rejected(self, page: Page, stream: str, bit: int, asked: int) -> int:
        keys = [r.key for r in page.rejected if r.key is not None]
        before = self._db.total_changes
        self._db.executemany(
            "INSERT OR IGNORE INTO staged (sync, type, id, state, stream, readings, whole, asked, unknown, changed) "
            "VALUES (?, ?, ?, 'rejected', ?, ?, 0, ?, 1, 0)",
            [(self._sync, *key, stream, bit, asked) for key in keys],
        )
        return self._db.total_changes - before + len(page.rejected) - len(keys)

    def _unstage_grants(self, principals: Sequence[Key], stream: str, whole: bool) -> None:
        """A resource read again brings its grants again: the later reading wins."""
        and_stream = "" if whole else " AND stream = ?"
        self._db.executemany(
            "DELETE FROM staged_grants WHERE sync = ? AND principal_type = ? AND principal_id = ?" + and_stream,
            [(self._sync, *p) if whole else (self._sync, *p, stream) for p in principals],
        )

    def _stage_grants(self, grants: Sequence[Grant], stream: str) -> int:
        number = self._entitlements
        rows = [(self._sync, *g.principal, number[g.entitlement], stream) for g in grants]
        before = self._db.total_changes
        self._db.executemany("INSERT OR IGNORE INTO staged_grants VALUES (?, ?, ?, ?, ?)", rows)
        return self._db.total_changes - before

    def _staged_readings(self, type: str, ids: list[str]) -> dict[str, int]:
        query = f"SELECT id, readings FROM staged WHERE sync = ? AND type = ? AND {_ID_IN}"
        return dict(self._db.execute(query, (self._sync, type, json.dumps(ids))).fetchall())

    def _current(self, type: str, ids: list[str]) -> dict[str, tuple[str | None, ...]]:
        """The picture's rows of these ids: unchanged ones need not be staged in full."""
        if not self._has_picture:
            return {}
        query = f"SELECT id, {', '.join(_FIELDS)} FROM resources WHERE connection = ? AND type = ? AND {_ID_IN}"
        rows = self._db.execute(query, (self._connection, type, json.dumps(ids)))
        return {row[0]: tuple(row)[1:] for row in rows}


_STAGE = f"""
INSERT INTO staged (sync, type, id, state, stream, readings, whole, asked, unknown, changed, {", ".join(_FIELDS)})
VALUES (?, ?, ?, 'row', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (sync, type, id) DO UPDATE SET state = 'row', readings = readings | excluded.readings,
    whole = max(whole, excluded.whole), asked = excluded.asked, unknown = excluded.unknown, changed = excluded.changed,
    {", ".join(f"{name} = excluded.{name}" for name in _FIELDS)}
"""


def _difference(r: Resource, current: dict[str, tuple[str | None, ...]]) -> tuple[object, ...]:
    """``changed`` and the fields of a staged row; an unchanged one is staged without its fields."""
    parent = str(r.parent) if r.parent else None
    profile = compact(dict(r.profile)) if r.profile else "{}"
    fields = (r.name, r.login, r.email, r.status, parent, profile)
    return (0, *_NOTHING) if current.get(r.id) == fields else (1, *fields)


def _by_type(resources: Sequence[Resource]) -> Iterator[tuple[str, list[Resource]]]:
    """Resources grouped by type; of a key given twice the last."""
    groups: dict[str, dict[str, Resource]] = defaultdict(dict)
    for r in resources:
        groups[r.type][r.id] = r
    for type, by_id in groups.items():
        yield type, list(by_id.values())


def _task(row: sqlite3.Row) -> Task:
    position = json.loads(row["position"])
    common = (row["id"], row["kind"], row["stream"], row["reading"])
    if row["kind"] == "confirm":
        return Task(*common, None, Key(*position))
    return Task(*common, Cursor(row["stream"], position, row["idx"]), None)
