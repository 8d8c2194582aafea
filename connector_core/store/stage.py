"""The rows of one page into the staging tables, compared with what was staged before and with the picture."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import count, islice

from connector_core.model import EntitlementKey, Key, Page
from connector_core.store.activity import stage_activity
from connector_core.store.columns import FIELDS
from connector_core.store.connections import EntitlementRows
from connector_core.store.copies import Copies
from connector_core.store.rows import (
    HELD,
    NO_FIELDS,
    Current,
    Listed,
    Origin,
    PrincipalGrant,
    StagedRow,
    compared,
    fields_by_type,
    given,
)
from connector_core.store.same import Same


class PageStage:
    """Where the rows of one running sync are put. Used by one thread, inside its transactions."""

    def __init__(self, db: sqlite3.Connection, connection: int, sync: int, entitlements: EntitlementRows) -> None:
        self._db = db
        self._connection = connection
        self._sync = sync
        self._entitlements = entitlements
        picture = "SELECT EXISTS (SELECT 1 FROM current_resources WHERE connection = ?)"
        self._has_picture = bool(db.execute(picture, (connection,)).fetchone()[0])
        self._index_staged()
        self.same = Same(db, connection, sync)
        self._copies = Copies(db, sync)

    def _index_staged(self) -> None:
        """Indexes over what is staged. Being temporary they cost no commit; a resumed sync makes them again."""
        self._db.execute("PRAGMA cache_size = -8000")  # KiB, where 2,000 are usual
        self._db.execute("PRAGMA temp.cache_size = -8000")
        self._db.execute("PRAGMA temp.journal_mode = MEMORY")  # of a page's changes: few
        for statement in _INDEXES.split(";"):
            self._db.execute(statement, {"sync": self._sync} if ":sync" in statement else {})

    def put(self, page: Page, origin: Origin) -> tuple[int, int, list[Key]]:
        """Stage a page's rows and grants.

        :returns: how many resources, and how many other grants, this reading had not yet; and which resources it gave
            before with other content.
        """
        repeated, contradicting = (set(), []) if origin.read_by_id else self._copies.on_page(page)
        new_rows = self._stage_rejected(page, origin)
        self._stage_unknown(page, origin)
        stage_activity(self._db, self._connection, self._sync, page.resources)
        held, others = given(page, self._entitlements)
        unknown = {name for name in page.unknown if isinstance(name, Key)}
        for type, fields in fields_by_type(page.resources).items():
            current = self._current(type, fields, origin.stream)
            same, rows = compared(type, fields, held, unknown, current, origin.stream)
            before, new = self._stage_same(type, same, rows, origin)
            for id in [id for id in rows if id in before and before[id].belongs_elsewhere(origin)]:
                new += self._also_list(Key(type, id), origin)
                self._put_unknown([(type, id, 0)] if rows[id].unknown else (), origin)
                others += [(type, id, number) for number in json.loads(rows[id].held)]
                del rows[id]
            contradicting += self._copies.merge(rows, before, origin, repeated)
            self._write(list(rows.values()), before, origin)
            new_rows += new + sum(1 for id in rows if id not in before or not before[id].readings & origin.bit)
        return new_rows, self._stage_grants(others, origin), list(dict.fromkeys(contradicting))

    def _stage_same(
        self, type: str, same: dict[str, StagedRow], rows: dict[str, StagedRow], origin: Origin
    ) -> tuple[dict[str, Listed], int]:
        """Stage what is ``same`` as in the picture by its numbers, but for rows that need more: those go to ``rows``.

        What was staged by number so far, and is among ``rows`` now, ceases to be.

        :returns: which of all these were staged before as rows, and how many of ``same`` are new.
        """
        before = self._listed(type, [*same, *rows])
        sightings = self.same.sightings([row.number for row in (*same.values(), *rows.values())])
        if before or sightings or origin.read_by_id:
            for id, row in list(same.items()):
                sighting = sightings.get(row.number)
                if origin.read_by_id or id in before or (sighting and sighting.stream != origin.stream):
                    rows[id] = same.pop(id)
            if moving := [Key(type, id) for id, row in rows.items() if row.number in sightings]:
                self.same.move_out(moving)
                before |= self._listed(type, [key.id for key in moving])
        self.same.add([row.number for row in same.values()], origin)
        seen = (sightings[row.number].readings for row in same.values() if row.number in sightings)
        return before, len(same) - sum(1 for readings in seen if readings & origin.bit)

    def _write(self, rows: Sequence[StagedRow], before: Mapping[str, Listed], origin: Origin) -> None:
        """Write rows: new ones at the end, those read before in their place; the later reading wins."""
        new = [row for row in rows if row.id not in before]
        if new:
            next = self._next_seq()
            for start in range(0, len(new), _AT_ONCE):
                self._insert(new[start : start + _AT_ONCE], origin)
            index = "INSERT INTO temp.seen (type, id, seq) SELECT type, id, seq FROM staged WHERE seq >= ?"
            self._db.execute(index, (next,))
        how = (origin.stream, origin.bit, origin.read_by_id, origin.asked)
        again = [(*how, *r[2:-2], *(r.fields or NO_FIELDS), before[r.id].seq) for r in rows if r.id in before]
        self._db.executemany(_UPDATE, again)

    def _insert(self, rows: Sequence[StagedRow], origin: Origin) -> None:
        """All by one statement: while it runs, other threads of Python do, too."""
        values: list[object] = [self._sync, origin.stream, origin.bit, +origin.read_by_id, origin.asked]
        is_new = all(row.number is None and row.changed and not row.unknown for row in rows)
        for row in rows:
            values += (row.type, row.id, row.held) if is_new else row[:-1]
            values += row.fields or NO_FIELDS
        self._db.execute(_insert(len(rows), is_new), values)

    def mark_gone(self, key: Key, stream: str, asked: int) -> None:
        """Take a resource for proven gone."""
        self.same.move_out([key])
        before = self._listed(key.type, [key.id])
        if before:
            gone = "UPDATE staged SET state = 'gone', asked = ? WHERE seq = ?"
            self._db.execute(gone, (asked, before[key.id].seq))
        else:
            self._put_bare(key, "gone", Origin(stream, asked, read_by_id=True))

    def _stage_rejected(self, page: Page, origin: Origin) -> int:
        """A row whose id can be read counts as seen, and keeps its earlier version; how many are new.

        One that another stream could read stays as that stream gave it.
        """
        new_rows = 0
        for key in {row.key for row in page.rejected if row.key is not None}:
            self.same.move_out([key])
            before = self._listed(key.type, [key.id]).get(key.id)
            if before is None:
                self._put_bare(key, "rejected", origin)
            elif before.belongs_elsewhere(origin):
                new_rows += self._also_list(key, origin, rejected=True)
                continue
            else:
                seen = "UPDATE staged SET readings = readings | ? WHERE seq = ?"
                self._db.execute(seen, (origin.bit, before.seq))
            new_rows += before is None or not before.readings & origin.bit
        return new_rows

    def _stage_unknown(self, page: Page, origin: Origin) -> None:
        """Note of which resources that are not listed here, and of which entitlements, the grants are unknown."""
        listed = {r.key for r in page.resources}
        rows = [
            ("", "", self._entitlements[name]) if isinstance(name, EntitlementKey) else (*name, 0)
            for name in page.unknown
            if name not in listed
        ]
        self._put_unknown(rows, origin)

    def _put_unknown(self, rows: Iterable[tuple[str, str, int]], origin: Origin) -> None:
        """Note them by type and id, or by the number of an entitlement."""
        columns = "sync, stream, reading, type, id, entitlement"
        insert = f"INSERT OR IGNORE INTO staged_unknown ({columns}) VALUES (?, ?, ?, ?, ?, ?)"
        self._db.executemany(insert, [(self._sync, origin.stream, origin.bit, *row) for row in rows])

    def _put_bare(self, key: Key, state: str, origin: Origin) -> None:
        row = StagedRow(*key, +(state == "rejected"), "[]", 0, 0, None, None)
        self._write([row], {}, origin)
        self._db.execute("UPDATE staged SET state = ? WHERE seq = ?", (state, self._next_seq() - 1))

    def _also_list(self, key: Key, origin: Origin, *, rejected: bool = False) -> bool:
        """Note that another stream lists a resource, too; whether that is new in this reading."""
        mine = (self._sync, origin.stream, *key)
        query = "SELECT readings FROM also_listed WHERE (sync, stream, type, id) = (?, ?, ?, ?)"
        row = self._db.execute(query, mine).fetchone()
        readings = row["readings"] if row else 0
        insert = (
            "INSERT OR REPLACE INTO also_listed (sync, stream, type, id, readings, rejected) VALUES (?, ?, ?, ?, ?, ?)"
        )
        self._db.execute(insert, (*mine, readings | origin.bit, rejected))
        return not readings & origin.bit

    def _stage_grants(self, grants: Sequence[PrincipalGrant], origin: Origin) -> int:
        """Stage grants of principals that are not listed with them; how many are new in this reading."""
        if not grants:
            return 0
        rows = [(self._sync, origin.stream, origin.bit, *grant) for grant in grants]
        self._db.executemany(
            "INSERT INTO staged_grants (sync, stream, reading, principal_type, principal_id, entitlement) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )
        before = self._db.total_changes
        self._db.executemany("INSERT OR IGNORE INTO temp.seen_grants VALUES (?, ?, ?, ?, ?)", [r[1:] for r in rows])
        return self._db.total_changes - before

    def forget(self, stream: str, bit: int) -> None:
        """Drop what a reading of a stream has brought: it is restarted."""
        mine = {"sync": self._sync, "stream": stream, "bit": bit}
        which = "sync = :sync AND stream = :stream"
        for table in ("staged", "also_listed"):
            self._db.execute(f"UPDATE {table} SET readings = readings & ~:bit WHERE {which}", mine)
        self._db.execute(f"DELETE FROM also_listed WHERE {which} AND NOT readings", mine)
        lost = f"SELECT seq FROM staged WHERE {which} AND NOT readings AND NOT read_by_id"
        self._db.execute(f"DELETE FROM temp.seen WHERE seq IN ({lost})", mine)
        self._db.execute(f"DELETE FROM staged WHERE seq IN ({lost})", mine)
        for table in ("staged_grants", "staged_unknown"):
            self._db.execute(f"DELETE FROM {table} WHERE {which} AND reading = :bit", mine)
        self._db.execute("DELETE FROM temp.seen_grants WHERE stream = :stream AND reading = :bit", mine)
        self.same.forget(stream, bit)

    # -- looking up ----------------------------------------------------------------------------------------

    def _next_seq(self) -> int:
        """The end of `staged`. Other connections' syncs write there, too: it holds within one transaction."""
        number: int = self._db.execute("SELECT coalesce(max(seq), 0) + 1 FROM staged").fetchone()[0]
        return number

    def _listed(self, type: str, ids: Iterable[str]) -> dict[str, Listed]:
        """Which of these were staged before, and not by number."""
        if not self._db.execute("SELECT EXISTS (SELECT 1 FROM temp.seen)").fetchone()[0]:
            return {}  # as in nearly every page of nearly every sync
        query = (
            "SELECT seen.id, seq, state, stream, readings FROM json_each(?2) CROSS JOIN temp.seen ON seen.type = ?1 "
            "AND seen.id = json_each.value CROSS JOIN staged USING (seq)"
        )
        return {id: Listed(*row) for id, *row in self._db.execute(query, (type, json.dumps(list(ids))))}

    def _current(self, type: str, ids: Iterable[str], stream: str) -> dict[str, Current]:
        """The picture's rows of these by id."""
        if not self._has_picture:
            return {}
        cursor = self._db.cursor()
        cursor.row_factory = None  # tuples are quicker to take apart
        names = {"connection": self._connection, "type": type, "ids": json.dumps(list(ids)), "stream": stream}
        return {row[0]: row for row in cursor.execute(_CURRENT, names)}


_INDEXES = """
DROP TABLE IF EXISTS temp.seen;
CREATE TEMP TABLE seen (type TEXT, id TEXT, seq INTEGER, PRIMARY KEY (type, id)) WITHOUT ROWID;
INSERT INTO temp.seen SELECT type, id, seq FROM staged WHERE sync = :sync ORDER BY type, id;
DROP TABLE IF EXISTS temp.seen_grants;
CREATE TEMP TABLE seen_grants (stream TEXT, reading INTEGER, principal_type TEXT, principal_id TEXT,
    entitlement INTEGER, PRIMARY KEY (stream, reading, principal_type, principal_id, entitlement)) WITHOUT ROWID;
INSERT OR IGNORE INTO temp.seen_grants SELECT stream, reading, principal_type, principal_id, entitlement
    FROM staged_grants WHERE sync = :sync
"""
_AT_ONCE = 250  # rows in one statement


@lru_cache(maxsize=8)
def _insert(rows: int, is_new: bool) -> str:
    """?1 to ?5 are what all rows share, then comes each row's own, in the order of `StagedRow` and `FIELDS`.

    Of rows that are new in the picture less has to be bound.
    """
    numbers = (f"?{n}" for n in count(6))
    columns = "type, id, held" if is_new else "type, id, unknown, held, grants_differ, changed, number"
    flags, raised = (", unknown, grants_differ, changed", ", 0, 1, 1") if is_new else ("", "")
    own = (", ".join(islice(numbers, columns.count(",") + 1 + len(FIELDS))) for _ in range(rows))
    values = ", ".join(f"(?1, 'row', ?2, ?3, ?4, ?5, {mine}{raised})" for mine in own)
    return (
        f"INSERT INTO staged (sync, state, stream, readings, read_by_id, asked, {columns}, {', '.join(FIELDS)}{flags}) "
        f"VALUES {values}"
    )


# A row read by its id stays with the stream that listed it; one that was unreadable goes to the one that could read it.
_UPDATE = f"""
UPDATE staged SET state = 'row', stream = CASE WHEN ?3 THEN stream ELSE ?1 END, readings = readings | ?2,
    read_by_id = max(read_by_id, ?3), asked = ?4, unknown = ?5, held = ?6, grants_differ = ?7, changed = ?8,
    {", ".join(f"{name} = ?{number}" for number, name in enumerate(FIELDS, 9))}
WHERE seq = ?{9 + len(FIELDS)}
"""
_CURRENT = f"""
SELECT r.id, r.number, coalesce(r.held, :stream || {HELD.format(stream=":stream")}),
    {", ".join(f"r.{name}" for name in FIELDS)}
FROM json_each(:ids) CROSS JOIN current_resources r
    ON r.connection = :connection AND r.type = :type AND r.id = json_each.value
"""
