"""The log that is kept with the state: lines are gathered, written with the next transaction, and forgotten in time."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator

from connector_core.clock import Clock, rfc3339
from connector_core.convert import compact
from connector_core.errors import ConnectorCoreError, PluginError, whole
from connector_core.model import LEVELS, Json, Level, LogLine
from connector_core.store.elapsed import DAY, newest_log_before, witness

KEPT_DAYS = 90.0
KEPT_LINES = 200_000  # of all connections together
_MOST = 1000  # lines of one level in one run: a million unreadable rows must not become a million lines


class LogBuffer:
    """Lines of one connection (and one sync or operation) on their way to the store. Safe in threads."""

    def __init__(self, connection: int, clock: Clock, mask: Callable[[str], str], sync: int | None = None) -> None:
        self.connection = connection
        self.sync = sync
        self._mask = mask
        self._clock = clock
        self._lock = threading.Lock()  # lines come from reader threads, too
        self._lines: list[tuple[str, str, str, str]] = []
        self._counts: Counter[Level] = Counter()

    def add(self, level: Level, message: str, **data: Json) -> None:
        """Remember a line, masked; of one level the first thousand. ``data`` holds figures, no foreign text."""
        with self._lock:
            self._counts[level] += 1
            if self._counts[level] <= _MOST:
                self._append(level, message, data)

    def add_trace(self, error: ConnectorCoreError) -> None:
        """Remember where in its code a plugin failed, at the level ``debug``; nothing for any other error."""
        if isinstance(error, PluginError):
            for line in error.trace:
                self.add("debug", line)

    def flush(self, db: sqlite3.Connection, operation: int | None = None) -> None:
        """Write what was gathered; call it inside a transaction."""
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            db.executemany(
                f"INSERT INTO logs (connection, sync, operation, {_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(self.connection, self.sync, operation, *line) for line in lines],
            )

    def write(self, db: sqlite3.Connection, level: Level, message: str, **data: Json) -> None:
        """Write a line at once, however many there were, after what was gathered and how much was left out."""
        with self._lock:
            for which, count in self._counts.items():
                if count > _MOST:
                    self._append(which, f"{count - _MOST:,} more lines of this level were left out", {})
            self._counts.clear()
            self._append(level, message, data)
        self.flush(db)

    @property
    def is_waiting(self) -> bool:
        """Whether something is gathered that is not written yet."""
        return bool(self._lines)

    def _append(self, level: Level, message: str, data: dict[str, Json]) -> None:
        self._lines.append((rfc3339(self._clock.now()), level, whole(self._mask(message)), compact(data)))


def lines(
    db: sqlite3.Connection, connection: int, *, event: int | None = None, level: Level = "debug", after: int = 0,
    newest: int | None = None,
) -> Iterator[tuple[int, LogLine]]:  # fmt: skip
    """Lines and their numbers, in the order in which they were written.

    :param event: of this sync or operation only.
    :param level: at least.
    :param after: behind the line of that number.
    :param newest: only so many, the last ones.
    """
    query = (
        f"SELECT id, sync, operation, {_FIELDS} FROM logs WHERE connection = :connection AND id > :after "
        "AND level IN (SELECT value FROM json_each(:levels))"
    )
    if event is not None:
        query += " AND (sync = :event OR operation = :event)"
    names = {
        "connection": connection, "event": event, "after": after, "newest": newest,
        "levels": json.dumps(LEVELS[LEVELS.index(level) :]),
    }  # fmt: skip
    if newest is not None:
        query = f"SELECT * FROM ({query} ORDER BY id DESC LIMIT :newest)"
    for row in db.execute(f"{query} ORDER BY id", names):
        facts = dict(row)
        yield facts.pop("id"), LogLine(**{**facts, "data": json.loads(facts["data"])})


def trim(db: sqlite3.Connection, clock: Clock) -> None:
    """Forget lines that are older than `KEPT_DAYS`, or more than `KEPT_LINES`, in the caller's transaction.

    Days are those that the state has witnessed: a clock that is set ahead makes nothing older.
    """
    old = newest_log_before(db, witness(db, clock) - KEPT_DAYS * DAY)
    db.execute("DELETE FROM logs WHERE id <= max(?, coalesce((SELECT max(id) - ? FROM logs), 0))", (old, KEPT_LINES))


_FIELDS = "at, level, message, data"
