"""What would leave the picture if a sync were published, found by set.

Nothing unseen leaves without proof, and no grant ends because a page is missing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from connector_core.clock import Clock
from connector_core.model import Key
from connector_core.store.endings import FIND_ENDINGS
from connector_core.store.frontier import NO_STREAM
from connector_core.store.journal import invited_since
from connector_core.store.judge import Verdict
from connector_core.store.same import Same


class Removals:
    """One sync's removals, in temporary tables. Used by one thread, inside its transactions.

    ``temp.unseen`` are resources that no page listed and that were not looked up yet, ``temp.leaving`` these and those
    looked up and gone. The tables of grants are explained in `connector_core.store.endings`.
    """

    def __init__(self, db: sqlite3.Connection, connection: int, sync: int, same: Same, clock: Clock) -> None:
        self._db = db
        self._same = same
        self._clock = clock
        self._names = {"connection": connection, "sync": sync}

    def find(self, verdicts: Sequence[Verdict], *, can_look_up: bool = True) -> None:
        """Work the tables out, by what was judged of each stream.

        :param can_look_up: whether a look-up may prove that what no page listed is gone; else what a stream gave that
            was not read stands.
        """
        whole = [v.stream for v in verdicts if v.is_whole]
        names = {
            **self._names, "whole": json.dumps(whole), "everything": len(whole) == len(verdicts),
            "unanswered": json.dumps([v.stream for v in verdicts if v.unanswered]),
            "can_look_up": can_look_up, "read": json.dumps([NO_STREAM, *(v.stream for v in verdicts)]),
            "invited_since": invited_since(self._db, self._clock),
        }  # fmt: skip
        self._same.move_out_unusual()
        for statement in (*_CLEAR, _YIELDED, _UNSEEN, _LEAVING, *FIND_ENDINGS):
            self._db.execute(statement, names)

    def disputed(self) -> tuple[list[Key], list[str]]:
        """Whose grants a stream gives and a read by id denies: the principals, and the streams."""
        principals = self._db.execute("SELECT DISTINCT principal_type, principal_id FROM temp.denied")
        streams = self._db.execute("SELECT DISTINCT stream FROM temp.denied")
        return [Key(*row) for row in principals], [row[0] for row in streams]

    def not_begun(self, read: Sequence[str]) -> list[tuple[str, int]]:
        """Streams that gave grants before and are not among those ``read``, with the number of grants that stand."""
        query = (
            "SELECT g.source, count(*) FROM temp.unread u CROSS JOIN grants g ON g.connection = ?1 "
            "AND g.principal_type = u.principal_type AND g.principal_id = u.principal_id "
            "AND g.entitlement = u.entitlement JOIN known_entitlements n ON n.id = g.entitlement WHERE g.source <> '*' "
            "AND g.source NOT IN (SELECT value FROM json_each(?2)) AND NOT EXISTS (SELECT 1 FROM temp.leaving l "
            "WHERE (l.type, l.id) IN (VALUES (g.principal_type, g.principal_id), (n.type, n.resource_id))) "
            "GROUP BY 1 ORDER BY 1"
        )
        return [tuple(row) for row in self._db.execute(query, (self._names["connection"], json.dumps(list(read))))]

    def unseen(self) -> list[Key]:
        """Each of these is to be read by its id before it may leave."""
        return [Key(*row) for row in self._db.execute("SELECT type, id FROM temp.unseen ORDER BY type, id")]

    def take_unseen_as_gone(self) -> None:
        """For a connector that cannot read single resources: its whole listing is the only proof there is."""
        self._db.execute(
            "INSERT INTO staged (sync, type, id, state, stream, readings, read_by_id, asked, unknown, held, "
            "grants_differ, "
            "changed) SELECT :sync, type, id, 'gone', '*', 0, 1, 0, 0, '[]', 0, 0 FROM temp.unseen",
            self._names,
        )
        self._db.execute(
            "INSERT OR IGNORE INTO temp.seen SELECT type, id, seq FROM staged WHERE sync = :sync AND state = 'gone'",
            self._names,
        )
        self._db.execute("DELETE FROM temp.unseen")


_CLEAR = (
    "DROP TABLE IF EXISTS temp.unseen",
    "DROP TABLE IF EXISTS temp.leaving",
)
# What an operation verified after a page was asked for wins over that page.
_YIELDED = """
UPDATE staged SET state = 'yielded' WHERE seq IN (
    SELECT s.seq FROM touched t JOIN temp.seen k ON k.type = t.type AND k.id = t.id
    JOIN staged s ON s.seq = k.seq WHERE t.connection = :connection AND t.operation_watermark > s.asked)
"""
# Nothing is missing from a stream that gave no answer, nor what another stream listed. Each stream that was not read
# leaves what it gave, unless a look-up will tell.
_UNSEEN = """
CREATE TEMP TABLE unseen AS
SELECT r.type, r.id FROM main.current_resources r WHERE r.connection = :connection
AND NOT EXISTS (SELECT 1 FROM temp.same s WHERE s.number = r.number)
AND NOT EXISTS (SELECT 1 FROM temp.seen k WHERE k.type = r.type AND k.id = r.id)
AND NOT EXISTS (
    SELECT 1 FROM touched t WHERE t.connection = r.connection AND t.type = r.type AND t.id = r.id
    AND t.operation_watermark > (SELECT operation_watermark FROM sync_runs WHERE id = :sync))
AND NOT EXISTS (SELECT 1 FROM json_each(:unanswered) f WHERE substr(r.held, 1, length(f.value) + 1) = f.value || '['
    OR EXISTS (SELECT 1 FROM grants g WHERE g.connection = r.connection AND g.principal_type = r.type
        AND g.principal_id = r.id AND g.inline AND g.source = f.value))
AND NOT EXISTS (SELECT 1 FROM also_listed a WHERE a.sync = :sync AND a.type = r.type AND a.id = r.id)
AND (:can_look_up OR (
    (r.held IS NULL OR EXISTS (
        SELECT 1 FROM json_each(:read) f WHERE substr(r.held, 1, length(f.value) + 1) = f.value || '['))
    AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.connection = r.connection AND g.principal_type = r.type
        AND g.principal_id = r.id AND g.inline AND g.source NOT IN (SELECT value FROM json_each(:read)))))
AND NOT (r.status = 'pending' AND EXISTS (
    SELECT 1 FROM journal j WHERE j.connection = r.connection AND j.account = r.id AND j.type = r.type
    AND j.kind = 'create_account' AND j.state = 'done' AND j.outcome = 'changed'
    AND coalesce(j.witnessed, 0) > :invited_since))
"""
# What only one of two readings listed is looked up before the guard judges: it must not slip past it as seen.
_LEAVING = """
CREATE TEMP TABLE leaving AS
SELECT type, id FROM temp.unseen
UNION
SELECT s.type, s.id FROM staged s
JOIN main.current_resources r ON r.connection = :connection AND r.type = s.type AND r.id = s.id
WHERE s.sync = :sync AND s.state <> 'row' AND s.state = 'gone'
"""
