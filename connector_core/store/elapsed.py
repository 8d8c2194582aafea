"""How much time this state has witnessed: what is kept for so many days must not end because a clock was set ahead."""

from __future__ import annotations

import sqlite3

from connector_core.clock import Clock

DAY = 86_400.0
MOST = 8 * DAY  # what counts at most between two moments: a week's schedule, and a machine that was off for a while
_EVERY = DAY / 4  # a moment is kept so often
_KEPT = 120 * DAY  # longer than anything is looked up for


def witness(db: sqlite3.Connection, clock: Clock) -> float:
    """Note that it is now, in the caller's transaction; seconds that were witnessed in all."""
    last, now = _last(db), clock.now()
    total = _total(last, now)
    if last is None or now < last["at"] or now - last["at"] >= _EVERY:
        db.execute("INSERT INTO witnessed (at, seconds, log) SELECT ?, ?, coalesce(max(id), 0) FROM logs", (now, total))
        db.execute("DELETE FROM witnessed WHERE seconds < ?", (total - _KEPT,))
    return total


def witnessed(db: sqlite3.Connection, clock: Clock) -> float:
    """Seconds that were witnessed until now in all."""
    return _total(_last(db), clock.now())


def newest_log_before(db: sqlite3.Connection, seconds: float) -> int:
    """The number of the last log line that was there when so many seconds had been witnessed, or 0."""
    query = "SELECT coalesce(max(log), 0) FROM witnessed WHERE seconds <= ?"
    line: int = db.execute(query, (seconds,)).fetchone()[0]
    return line


def _last(db: sqlite3.Connection) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute("SELECT at, seconds FROM witnessed ORDER BY id DESC LIMIT 1").fetchone()
    return row


def _total(last: sqlite3.Row | None, now: float) -> float:
    """A clock that was set back adds nothing, one that was set ahead `MOST`."""
    if last is None:
        return 0.0
    seconds: float = last["seconds"] + min(max(now - last["at"], 0.0), MOST)
    return seconds
