"""The log that is kept with the state: lines are gathered, and written with the next transaction."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

from connector_core.clock import Clock, rfc3339
from connector_core.convert import compact
from connector_core.model import Json, Level


class LogBuffer:
    """Lines of one connection (and one sync) on their way to the store."""

    def __init__(self, connection: int, clock: Clock, mask: Callable[[str], str], sync: int | None = None) -> None:
        self.connection = connection
        self.sync = sync
        self._mask = mask
        self._clock = clock
        self._lock = threading.Lock()  # lines come from reader threads, too
        self._lines: list[tuple[int, int | None, str, str, str, str]] = []

    def add(self, level: Level, message: str, **data: Json) -> None:
        """Remember a line, masked. ``data`` holds figures, no foreign text."""
        at = rfc3339(self._clock.now())
        with self._lock:
            self._lines.append((self.connection, self.sync, at, level, self._mask(message), compact(data)))

    def flush(self, db: sqlite3.Connection) -> None:
        """Write what was gathered; call it inside a transaction."""
        with self._lock:
            lines, self._lines = self._lines, []
        if lines:
            db.executemany(
                "INSERT INTO logs (connection, sync, at, level, message, data) VALUES (?, ?, ?, ?, ?, ?)", lines
            )

    def write(self, db: sqlite3.Connection, level: Level, message: str, **data: Json) -> None:
        """Write a line at once."""
        self.add(level, message, **data)
        self.flush(db)
