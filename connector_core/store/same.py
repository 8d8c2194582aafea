"""Rows that a running sync read exactly as the picture has them: of nearly every sync nearly all.

Such a row is no more than the number of its resource. A page's numbers are kept together, in one row of
`staged_same`, and indexed by ``temp.same``, which costs no commit. Only what is plain stays here: listed by pages of
one stream, nothing about it unknown, unreadable or looked up. Whatever else happens to a row moves it out to `staged`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from connector_core.model import Key
from connector_core.store.rows import HELD, Origin


class Sighting(NamedTuple):
    """Which stream listed a row, and in which of its readings (bits)."""

    stream: str
    readings: int


class Same:
    """The rows of one running sync that are as in the picture. Used by one thread, inside its transactions."""

    def __init__(self, db: sqlite3.Connection, connection: int, sync: int) -> None:
        self._db = db
        self._names = {"connection": connection, "sync": sync}
        for statement in _INDEX:
            db.execute(statement, self._names if ":sync" in statement else {})

    def sightings(self, numbers: Sequence[int | None]) -> dict[int | None, Sighting]:
        """Those of ``numbers`` that are here."""
        query = "SELECT number, stream, readings FROM json_each(?) CROSS JOIN temp.same ON number = value"
        rows = self._db.execute(query, (json.dumps(numbers),)) if any(numbers) else ()
        return {number: Sighting(stream, readings) for number, stream, readings in rows}

    def add(self, numbers: Sequence[int | None], origin: Origin) -> None:
        """Rows of one page of the stream that lists them."""
        if not numbers:
            return
        page = {**self._names, "stream": origin.stream, "reading": origin.bit, "asked": origin.asked}
        page["numbers"] = json.dumps(numbers, separators=(",", ":"))
        self._db.execute(
            "INSERT INTO staged_same (sync, stream, reading, asked, numbers) "
            "VALUES (:sync, :stream, :reading, :asked, :numbers)",
            page,
        )
        rows = "SELECT value, :stream, :reading, :asked FROM json_each(:numbers)"
        self._db.execute(f"{_INTO_INDEX} {rows} {_TWICE}", page)

    def move_out(self, keys: Iterable[Key]) -> None:
        """Turn those of these that are here into rows of `staged`."""
        pairs = json.dumps(list(keys))
        if pairs != "[]":
            self._move_out(_PAIRS, keys=pairs)

    def move_out_unusual(self) -> None:
        """The same for all that publishing has to look at one by one.

        That is what an operation verified since it was asked for, what can be held, and who holds something that
        was not listed with them.
        """
        self._move_out(
            "SELECT t.type, t.id FROM touched t JOIN sync_runs s ON s.id = :sync "
            "WHERE t.connection = :connection AND t.operation_watermark > s.operation_watermark "
            "UNION SELECT type, resource_id FROM known_entitlements WHERE connection = :connection "
            "UNION SELECT principal_type, principal_id FROM grants WHERE connection = :connection AND NOT inline "
            "UNION SELECT principal_type, principal_id FROM staged_grants WHERE sync = :sync"
        )

    def forget(self, stream: str, bit: int) -> None:
        """Drop a reading of a stream: it is restarted."""
        mine = {**self._names, "stream": stream, "bit": bit}
        self._db.execute("UPDATE temp.same SET readings = readings & ~:bit WHERE stream = :stream", mine)
        self._db.execute("DELETE FROM temp.same WHERE NOT readings")
        self._db.execute("DELETE FROM staged_same WHERE sync = :sync AND stream = :stream AND reading = :bit", mine)

    def _move_out(self, which: str, **names: str) -> None:
        mine = {**self._names, **names}
        newest = self._db.execute("SELECT coalesce(max(seq), 0) FROM staged").fetchone()[0]
        moved = self._db.execute(_MOVE.format(which=which), mine)
        if moved.rowcount:
            mine["newest"] = newest
            for statement in _MOVED:
                self._db.execute(statement, mine)


_PAIRS = "SELECT json_extract(value, '$[0]') AS type, json_extract(value, '$[1]') AS id FROM json_each(:keys)"
_TWICE = """
WHERE true ON CONFLICT (number) DO UPDATE SET
    readings = readings | excluded.readings, asked = max(asked, excluded.asked)
"""
_INTO_INDEX = "INSERT INTO temp.same (number, stream, readings, asked)"
_INDEX = (
    "DROP TABLE IF EXISTS temp.same",
    "CREATE TEMP TABLE same (number INTEGER PRIMARY KEY, stream TEXT, readings INTEGER, asked INTEGER)",
    f"{_INTO_INDEX} SELECT value, stream, reading, asked FROM staged_same, json_each(numbers) "
    "WHERE sync = :sync AND value NOT IN (SELECT number FROM staged WHERE sync = :sync AND number IS NOT NULL) "
    f"{_TWICE.replace('WHERE true', '')}",
)
_MOVE = f"""
INSERT INTO staged (
    sync, type, id, state, stream, readings, read_by_id, asked, unknown, held, grants_differ, changed, number)
SELECT :sync, r.type, r.id, 'row', s.stream, s.readings, 0, s.asked, 0, {HELD.format(stream="s.stream")}, 0, 0, s.number
FROM ({{which}}) k CROSS JOIN current_resources r ON r.connection = :connection AND r.type = k.type AND r.id = k.id
CROSS JOIN temp.same s ON s.number = r.number
"""
_MOVED = (
    "INSERT INTO temp.seen (type, id, seq) SELECT type, id, seq FROM staged WHERE seq > :newest AND sync = :sync",
    "DELETE FROM temp.same WHERE number IN (SELECT number FROM staged WHERE seq > :newest AND sync = :sync)",
)
