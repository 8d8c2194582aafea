"""What a sync would take from the picture, as the guard counts it: by kind, and with the syncs of the last 24 hours.

``temp.lost`` holds each loss by its kind: ``unseen``, ``disabled`` and ``renamed`` accounts, and grants that ``ended``.
Those that a sync was held for are kept in `held_removals`, for a person to accept. What an operation asked for is no
loss.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Literal

from attrs import frozen

from connector_core.clock import Clock, rfc3339
from connector_core.names import is_same, normalized

Kind = Literal["unseen", "disabled", "renamed", "ended"]
WINDOW = 86_400.0  # seconds before a sync whose losses are judged together with its own


@frozen(kw_only=True)
class Losses:
    """What would leave the picture, by kind, and how much there is: the figures that the guard judges.

    ``unseen`` are accounts that no page listed, also those that were looked up since and are gone; ``disabled`` were
    enabled; ``renamed`` bear another login under their id; ``ended`` counts grants that what is still listed no longer
    holds. ``moved`` of the unseen have a login that is listed under another id. What a person accepted
    (``--accept-removals``) is left out.
    """

    unseen: int = 0
    disabled: int = 0
    renamed: int = 0
    ended: int = 0
    moved: int = 0
    accounts: int = 0
    enabled: int = 0
    grants: int = 0


class LossTable:
    """One sync's losses. Used by one thread, inside its transactions, after `Removals.find`."""

    def __init__(self, db: sqlite3.Connection, connection: int, sync: int, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._names = {"connection": connection, "sync": sync}

    def find(self) -> None:
        """Work the table out."""
        names = {**self._names, "since": self._since(), "now": rfc3339(self._clock.now())}
        for statement in _FIND:
            self._db.execute(statement, names)
        renamed = [row[:3] for row in self._db.execute(_OTHER_LOGINS, names) if not is_same(*row[2:])]
        self._db.executemany("INSERT INTO temp.lost VALUES ('renamed', ?, ?, 0, ?)", renamed)

    def count(self, *, accepted: bool) -> Losses:
        """Count what `find` found; with ``accepted``, only what the last held sync did not name."""
        which = f"NOT EXISTS ({_NAMED})" if accepted else "1"
        kinds = self._db.execute(f"SELECT kind, count(*) FROM temp.lost l WHERE {which} GROUP BY kind", self._names)
        losses = {**dict(kinds), **self._there()}
        losses["enabled"] += self._db.execute(_ENABLED_BEFORE, self._names).fetchone()[0]
        return Losses(**losses, moved=self._moved(which) if losses.get("unseen") else 0)

    def earlier(self) -> Losses:
        """Count what syncs of the 24 hours before took away, apart from what was accepted or has come back.

        ``accounts``, ``enabled`` and ``grants`` are those that there were before the first of these syncs.
        """
        names = {**self._names, "since": self._since()}
        before = self._db.execute(_BEFORE, names).fetchone()
        kinds = dict(self._db.execute(_EARLIER, names).fetchall())
        return Losses(**kinds, **(json.loads(before["there"]) if before else {}))

    def hold(self) -> None:
        """Remember what would have left, for a person to accept by ``--accept-removals``."""
        self._db.execute("DELETE FROM held_removals WHERE connection = :connection", self._names)
        self._db.execute("INSERT INTO held_removals SELECT :connection, * FROM temp.lost", self._names)

    def remember(self, *, accepted: bool) -> None:
        """Write down what this sync takes away, for those of the next 24 hours; not an account that is there."""
        now, since = rfc3339(self._clock.now()), self._since()
        names = {**self._names, "now": now, "since": since}
        self._db.execute("DELETE FROM losses WHERE connection = :connection AND at <= :since", names)
        self._db.execute(f"{_REMEMBER} AND NOT EXISTS ({_NAMED})" if accepted else _REMEMBER, names)
        there = json.dumps(self._there())
        self._db.execute("UPDATE sync_runs SET there = ? WHERE id = ?", (there, self._names["sync"]))

    def address_changed(self) -> bool:
        """Whether the last published sync read from another address."""
        run = "connections c JOIN sync_runs s ON s.id = :sync WHERE c.id = :connection AND c.address <> s.address"
        changed: int = self._db.execute(f"SELECT count(*) FROM {run}", self._names).fetchone()[0]
        return changed == 1

    def _there(self) -> dict[str, int]:
        """Count what is in the picture."""
        return dict(self._db.execute(_THERE, self._names).fetchone())

    def _since(self) -> str:
        return rfc3339(self._clock.now() - WINDOW)

    def _moved(self, which: str) -> int:
        """How many unseen accounts have a login that a new account bears."""
        unseen = (
            f"SELECT r.login FROM temp.lost l {_RESOURCE} WHERE l.kind = 'unseen' AND r.login IS NOT NULL AND {which}"
        )
        newcomers = (
            f"SELECT s.login FROM staged s {_ACCOUNT.format('s')} WHERE s.sync = :sync AND s.state = 'row' "
            "AND s.number IS NULL AND s.login IS NOT NULL"
        )
        come = {normalized(login) for (login,) in self._db.execute(newcomers, self._names)}
        return sum(normalized(login) in come for (login,) in self._db.execute(unseen, self._names)) if come else 0


_ACCOUNT = "JOIN resource_types t ON t.connection = :connection AND t.type = {}.type AND t.account"
_RESOURCE = "CROSS JOIN current_resources r ON r.connection = :connection AND r.type = l.type AND r.id = l.id"
_NAMED = (
    "SELECT 1 FROM held_removals h WHERE h.connection = :connection AND (h.kind, h.type, h.id, h.entitlement, h.login) "
    "= (l.kind, l.type, l.id, l.entitlement, l.login)"
)
_REMEMBER = """
INSERT OR REPLACE INTO losses (connection, kind, type, id, entitlement, at, login)
SELECT :connection, l.kind, l.type, l.id, l.entitlement, :now, CASE WHEN l.kind = 'renamed' THEN coalesce(
    (SELECT e.login FROM losses e WHERE e.connection = :connection AND e.kind = l.kind AND e.type = l.type
        AND e.id = l.id),
    (SELECT r.login FROM current_resources r WHERE r.connection = :connection AND r.type = l.type AND r.id = l.id), '')
    ELSE '' END
FROM temp.lost l
WHERE NOT (l.kind = 'unseen' AND EXISTS (SELECT 1 FROM temp.unseen u WHERE u.type = l.type AND u.id = l.id))
"""
# What is lost still, and not by this sync.
_EARLIER = """
SELECT e.kind, count(*) FROM losses e LEFT JOIN current_resources r
    ON r.connection = e.connection AND r.type = e.type AND r.id = e.id
WHERE e.connection = :connection AND e.at > :since
AND NOT EXISTS (SELECT 1 FROM temp.lost l WHERE (l.kind, l.type, l.id, l.entitlement)
    = (e.kind, e.type, e.id, e.entitlement))
AND CASE e.kind
    WHEN 'unseen' THEN r.id IS NULL AND NOT EXISTS (
        SELECT 1 FROM temp.seen k JOIN staged s ON s.seq = k.seq WHERE k.type = e.type AND k.id = e.id
        AND s.state = 'row')
    WHEN 'disabled' THEN r.status = 'disabled' AND NOT EXISTS (
        SELECT 1 FROM temp.seen k JOIN staged s ON s.seq = k.seq WHERE k.type = e.type AND k.id = e.id
        AND s.changed AND s.status <> 'disabled')
    WHEN 'ended' THEN r.id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM grants g WHERE g.connection = e.connection AND g.principal_type = e.type
        AND g.principal_id = e.id AND g.entitlement = e.entitlement
        UNION ALL SELECT 1 FROM temp.given n WHERE n.principal_type = e.type AND n.principal_id = e.id
        AND n.entitlement = e.entitlement
        UNION ALL SELECT 1 FROM temp.seen k JOIN staged s ON s.seq = k.seq JOIN json_each(s.held) h
        WHERE k.type = e.type AND k.id = e.id AND h.value = e.entitlement)
    ELSE r.id IS NOT NULL AND name_key(r.login) IS NOT name_key(e.login) END
GROUP BY e.kind
"""
_THERE = f"""
SELECT (SELECT count(*) FROM current_resources r {_ACCOUNT.format("r")} WHERE r.connection = :connection) AS accounts,
    (SELECT count(*) FROM current_resources r {_ACCOUNT.format("r")} WHERE r.connection = :connection
        AND r.status = 'enabled') AS enabled,
    (SELECT count(*) FROM grants WHERE connection = :connection) AS grants
"""
# Accounts that are lost as disabled, and were enabled when the 24 hours began, but not in the picture.
_ENABLED_BEFORE = f"SELECT count(*) FROM temp.lost l {_RESOURCE} WHERE l.kind = 'disabled' AND r.status <> 'enabled'"
# A first sync took nothing away: before it there was nothing.
_BEFORE = """
SELECT there FROM sync_runs WHERE connection = :connection AND event IS NOT NULL AND there IS NOT NULL
AND finished > :since AND json_extract(there, '$.accounts') + json_extract(there, '$.grants') > 0 ORDER BY id LIMIT 1
"""
# What an operation asked for is no loss, and nothing more: an application may go on listing for a while what it ended,
# or carry out later what it accepted.
_ASKED_FOR = """
EXISTS (SELECT 1 FROM journal j LEFT JOIN known_entitlements e ON e.connection = j.connection
    AND (e.type, e.resource_id, e.slug) = (j.resource_type, j.role, j.entitlement)
    LEFT JOIN staged_entitlements d ON d.sync = :sync AND d.entitlement = e.id
    WHERE j.connection = :connection AND j.type = {type} AND j.account = {id}
    AND j.state IN ('done', 'unknown') AND j.outcome IS NOT 'unchanged'
    AND coalesce(j.finished, :now) > :since AND ({what}))
"""
_RENAMED = "j.kind = 'update_account'"
_DELETED = "j.kind = 'delete_account'"
_DISABLED = """
j.kind IN ('delete_account', 'disable_account')
OR j.kind = 'revoke' AND coalesce(d.on_revoke, e.on_revoke) = 'removes_account'
"""
# A grant ends by its revocation, with its account, or by another one of its exclusive group.
_ENDED = f"""
{_DISABLED} OR j.kind = 'revoke' AND e.id = g.entitlement
OR j.kind IN ('grant', 'create_account') AND e.id <> g.entitlement AND e.exclusive = (
    SELECT exclusive FROM known_entitlements WHERE id = g.entitlement)
"""
# Rows of accounts that differ from the picture; in a first sync there is none, and no row is looked at.
_ALTERED = (
    f"FROM staged s {_ACCOUNT.format('s')} CROSS JOIN current_resources r ON r.connection = :connection "
    "AND r.type = s.type AND r.id = s.id "
    "WHERE EXISTS (SELECT 1 FROM current_resources WHERE connection = :connection) "
    "AND s.sync = :sync AND s.state = 'row' AND s.changed"
)
_OTHER_LOGINS = (
    f"SELECT s.type, s.id, coalesce(s.login, ''), r.login {_ALTERED} AND r.login IS NOT NULL "
    f"AND r.login IS NOT s.login AND NOT {_ASKED_FOR.format(type='s.type', id='s.id', what=_RENAMED)}"
)
# Whether it was enabled within the 24 hours: that it became unknown or pending on the way makes it no smaller loss.
_WAS_ENABLED = """
r.status IS NOT 'disabled' AND (r.status = 'enabled' OR EXISTS (
    SELECT 1 FROM resource_history h JOIN events v ON v.id = h.ended AND v.at > :since
    WHERE h.connection = :connection AND h.type = r.type AND h.id = r.id AND h.status = 'enabled'))
"""
# What has ended, and what would end on resources that are not listed any more.
_AT_RISK = """
SELECT principal_type, principal_id, entitlement FROM temp.ending
UNION
SELECT g.principal_type, g.principal_id, g.entitlement FROM grants g
WHERE g.connection = :connection AND g.entitlement IN (
    SELECT n.id FROM temp.leaving u
    JOIN known_entitlements n ON n.connection = :connection AND n.type = u.type AND n.resource_id = u.id)
AND (EXISTS (SELECT 1 FROM temp.seen k WHERE k.type = g.principal_type AND k.id = g.principal_id)
    OR EXISTS (SELECT 1 FROM current_resources r JOIN temp.same s ON s.number = r.number
        WHERE r.connection = :connection AND r.type = g.principal_type AND r.id = g.principal_id))
"""
_FIND = (
    "DROP TABLE IF EXISTS temp.lost",
    "CREATE TEMP TABLE lost (kind TEXT, type TEXT, id TEXT, entitlement INTEGER, login TEXT, "
    "PRIMARY KEY (kind, type, id, entitlement)) WITHOUT ROWID",
    f"INSERT INTO temp.lost SELECT 'unseen', u.type, u.id, 0, '' FROM temp.leaving u {_ACCOUNT.format('u')} "
    f"WHERE NOT {_ASKED_FOR.format(type='u.type', id='u.id', what=_DELETED)}",
    f"INSERT INTO temp.lost SELECT 'disabled', s.type, s.id, 0, '' {_ALTERED} AND s.status = 'disabled' "
    f"AND {_WAS_ENABLED} AND NOT {_ASKED_FOR.format(type='s.type', id='s.id', what=_DISABLED)}",
    f"INSERT INTO temp.lost SELECT 'ended', g.*, '' FROM ({_AT_RISK}) g "
    f"WHERE NOT {_ASKED_FOR.format(type='g.principal_type', id='g.principal_id', what=_ENDED)}",
)
