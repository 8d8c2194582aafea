"""What would leave the picture if a sync were published: found by set, judged by the guard, remembered when held.

Nothing unseen leaves without proof, and no grant ends because a page is missing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from attrs import frozen

from connector_core.clock import Clock, rfc3339
from connector_core.model import Key
from connector_core.store.same import Same

_INVITED = 30 * 86_400.0  # seconds for which an account that we created may stay invisible (W14)


@frozen(kw_only=True)
class Losses:
    """What would leave the picture, beside how much there is: the figures that the guard judges.

    ``unseen`` are accounts that no page listed, also those that were looked up since and are gone; ``ended`` counts
    grants that what is still listed no longer holds.
    Those that a person accepted (``--accept-removals``) are left out of both counts.
    """

    unseen: int
    accounts: int
    ended: int
    grants: int


class Removals:
    """One sync's removals, in temporary tables. Used by one thread, inside its transactions.

    ``temp.unseen`` are resources that no page listed and nobody looked up yet, ``temp.leaving`` these and those looked
    up and gone; ``temp.ending`` are grants that have
    ended; ``temp.given`` are the grants that pages gave which do not list their principal.
    """

    def __init__(self, db: sqlite3.Connection, connection: int, sync: int, same: Same, clock: Clock) -> None:
        self._db = db
        self._same = same
        self._clock = clock
        self._names = {"connection": connection, "sync": sync}

    def find(self, whole: Iterable[str], *, everything: bool) -> None:
        """Work the tables out.

        :param whole: the streams that add up: a grant they no longer give has ended.
        :param everything: whether all streams do.
        """
        names = {
            **self._names, "whole": json.dumps(list(whole)), "everything": everything,
            "invited_since": rfc3339(self._clock.now() - _INVITED),
        }  # fmt: skip
        self._same.move_out_unusual()
        for statement in (*_CLEAR, _YIELDED, _UNSEEN, _LEAVING, _GIVEN, *_ENDING):
            self._db.execute(statement, names)

    def losses(self, *, accepted: bool) -> Losses:
        """Count what `find` found; with ``accepted``, only what the last held sync did not name."""
        named = "SELECT 1 FROM held_removals h WHERE h.connection = :connection AND (h.type, h.id, h.entitlement) = "
        but = f"AND NOT EXISTS ({named}({{}}))" if accepted else ""
        resource, grant = but.format("u.type, u.id, 0"), but.format("g.principal_type, g.principal_id, g.entitlement")
        accounts = "resource_types t ON t.connection = :connection AND t.type = {}.type AND t.account"
        return Losses(
            unseen=self._count(f"temp.leaving u JOIN {accounts.format('u')} WHERE 1 {resource}"),
            accounts=self._count(f"resources r JOIN {accounts.format('r')} WHERE r.connection = :connection"),
            ended=self._count(f"({_AT_RISK}) g WHERE 1 {grant}"),
            grants=self._count("grants WHERE connection = :connection"),
        )

    def address_changed(self) -> bool:
        """Whether the last published sync read from another address."""
        run = "connections c JOIN sync_runs s ON s.id = :sync WHERE c.id = :connection AND c.address <> s.address"
        return self._count(run) == 1

    def unseen(self) -> list[Key]:
        """Each of these is to be read by its id before it may leave."""
        return [Key(*row) for row in self._db.execute("SELECT type, id FROM temp.unseen ORDER BY type, id")]

    def hold(self) -> None:
        """Remember what would have left, for a person to accept by ``--accept-removals``."""
        for statement in (
            "DELETE FROM held_removals WHERE connection = :connection",
            "INSERT INTO held_removals SELECT :connection, type, id, 0 FROM temp.leaving",
            f"INSERT INTO held_removals SELECT :connection, g.* FROM ({_AT_RISK}) g",
        ):
            self._db.execute(statement, self._names)

    def take_unseen_as_gone(self) -> None:
        """For a connector that cannot read single resources: its whole listing is the only proof there is."""
        self._db.execute(
            "INSERT INTO staged (sync, type, id, state, stream, readings, whole, asked, unknown, held, regrant, "
            "changed) SELECT :sync, type, id, 'gone', '*', 0, 1, 0, 0, '[]', 0, 0 FROM temp.unseen",
            self._names,
        )
        self._db.execute(
            "INSERT OR IGNORE INTO temp.seen SELECT type, id, seq FROM staged WHERE sync = :sync AND state = 'gone'",
            self._names,
        )

    def _count(self, what: str) -> int:
        count: int = self._db.execute(f"SELECT count(*) FROM {what}", self._names).fetchone()[0]
        return count


_CLEAR = (
    "DROP TABLE IF EXISTS temp.unseen",
    "DROP TABLE IF EXISTS temp.leaving",
    "DROP TABLE IF EXISTS temp.given",
    "DROP TABLE IF EXISTS temp.ending",
    "CREATE TEMP TABLE given (principal_type TEXT, principal_id TEXT, entitlement INTEGER, stream TEXT, "
    "PRIMARY KEY (principal_type, principal_id, entitlement)) WITHOUT ROWID",
    "CREATE TEMP TABLE ending (principal_type TEXT, principal_id TEXT, entitlement INTEGER, "
    "PRIMARY KEY (principal_type, principal_id, entitlement)) WITHOUT ROWID",
)
# What an operation verified after a page was asked for wins over that page.
_YIELDED = """
UPDATE staged SET state = 'yielded' WHERE seq IN (
    SELECT s.seq FROM touched t JOIN temp.seen k ON k.type = t.type AND k.id = t.id
    JOIN staged s ON s.seq = k.seq WHERE t.connection = :connection AND t.mark > s.asked)
"""
_UNSEEN = """
CREATE TEMP TABLE unseen AS
SELECT r.type, r.id FROM main.resources r WHERE r.connection = :connection
AND NOT EXISTS (SELECT 1 FROM temp.same s WHERE s.number = r.number)
AND NOT EXISTS (SELECT 1 FROM temp.seen k WHERE k.type = r.type AND k.id = r.id)
AND NOT EXISTS (
    SELECT 1 FROM touched t WHERE t.connection = r.connection AND t.type = r.type AND t.id = r.id
    AND t.mark > (SELECT mark FROM sync_runs WHERE id = :sync))
AND NOT (r.status = 'pending' AND EXISTS (
    SELECT 1 FROM journal j WHERE j.connection = r.connection AND j.account = r.id AND j.type = r.type
    AND j.kind = 'create_account' AND j.state = 'done' AND j.outcome = 'changed' AND j.finished >= :invited_since))
"""
# What only one of two readings listed is looked up before the guard judges: it must not slip past it as seen.
_LEAVING = """
CREATE TEMP TABLE leaving AS
SELECT type, id FROM temp.unseen
UNION
SELECT s.type, s.id FROM staged s
JOIN main.resources r ON r.connection = :connection AND r.type = s.type AND r.id = s.id
WHERE s.sync = :sync AND s.state <> 'row' AND s.state = 'gone'
"""
# A page of grants says nothing about a principal that an operation has verified since the sync began.
_UNTOUCHED = """
NOT EXISTS (SELECT 1 FROM touched t WHERE t.connection = :connection AND t.type = g.principal_type
    AND t.id = g.principal_id AND t.mark > (SELECT mark FROM sync_runs WHERE id = :sync))
"""
_GIVEN = f"""
INSERT OR IGNORE INTO temp.given
SELECT g.principal_type, g.principal_id, g.entitlement, g.stream FROM staged_grants g WHERE g.sync = :sync
AND {_UNTOUCHED}
AND NOT EXISTS (
    SELECT 1 FROM temp.seen k JOIN staged s ON s.seq = k.seq WHERE k.type = g.principal_type AND k.id = g.principal_id
    AND (s.whole OR s.state IN ('gone', 'yielded')))
"""
# A grant has ended where its principal was read, the grant was not among what it holds, and what would have shown it
# is known to have been read: the principal by its id, or the row that gave it before, or a stream that adds up, or
# everything; or where the principal now holds another of the same exclusive group. What is held on a resource that
# nobody has seen yet stands until that is proven gone.
_NOT_HELD = f"""
    s.state = 'row' AND NOT s.unknown
    AND NOT EXISTS (SELECT 1 FROM json_each(s.held) WHERE value = g.entitlement)
    AND NOT EXISTS (SELECT 1 FROM temp.given n WHERE n.principal_type = g.principal_type
        AND n.principal_id = g.principal_id AND n.entitlement = g.entitlement)
    AND NOT EXISTS (SELECT 1 FROM entitlements n JOIN temp.unseen u ON u.type = n.type AND u.id = n.resource_id
        WHERE n.id = g.entitlement)
    AND (s.whole OR (g.beside AND g.source = s.stream)
        OR (g.source IN (SELECT value FROM json_each(:whole)) AND {_UNTOUCHED})
        OR (:everything AND {_UNTOUCHED} AND EXISTS (
            SELECT 1 FROM entitlements n JOIN temp.seen k ON k.type = n.type AND k.id = n.resource_id
            JOIN staged r ON r.seq = k.seq WHERE n.id = g.entitlement AND r.state = 'row'))
        OR EXISTS (
            SELECT 1 FROM entitlements a JOIN entitlements b ON b.id = g.entitlement AND b.exclusive = a.exclusive
            WHERE a.id IN (SELECT value FROM json_each(s.held) UNION ALL SELECT n.entitlement FROM temp.given n
                WHERE n.principal_type = g.principal_type AND n.principal_id = g.principal_id)))
"""
_INTO_ENDING = "INSERT OR IGNORE INTO temp.ending SELECT g.principal_type, g.principal_id, g.entitlement"
# Looked at once: where nothing was held before, as in a first sync, nothing can end, and no row is looked at.
ANY_GRANTS = "EXISTS (SELECT 1 FROM grants WHERE connection = :connection)"
# Grants given beside their principal need a look only where its row says that they differ (`regrant`).
_ENDING = (
    f"{_INTO_ENDING} FROM staged s CROSS JOIN grants g ON g.connection = :connection AND g.principal_type = s.type "
    f"AND g.principal_id = s.id WHERE s.sync = :sync AND s.regrant AND {ANY_GRANTS} AND {_NOT_HELD}",
    f"{_INTO_ENDING} FROM grants g CROSS JOIN temp.seen k ON k.type = g.principal_type AND k.id = g.principal_id "
    f"JOIN staged s ON s.seq = k.seq WHERE g.connection = :connection AND NOT g.beside "
    f"AND {_NOT_HELD}",
)
# For the guard: what has ended, and what would end on resources that are not listed any more.
_AT_RISK = """
SELECT principal_type, principal_id, entitlement FROM temp.ending
UNION
SELECT g.principal_type, g.principal_id, g.entitlement FROM grants g
WHERE g.connection = :connection AND g.entitlement IN (
    SELECT n.id FROM temp.leaving u
    JOIN entitlements n ON n.connection = :connection AND n.type = u.type AND n.resource_id = u.id)
AND (EXISTS (SELECT 1 FROM temp.seen k WHERE k.type = g.principal_type AND k.id = g.principal_id)
    OR EXISTS (SELECT 1 FROM resources r JOIN temp.same s ON s.number = r.number
        WHERE r.connection = :connection AND r.type = g.principal_type AND r.id = g.principal_id))
"""
