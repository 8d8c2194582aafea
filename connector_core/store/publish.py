"""From what a sync staged to the picture: differences found by set, written in one transaction, with history.

Nothing unseen is ended without proof. What ends is: a resource proven gone, with all it held; a grant that its
principal, read in this sync, no longer holds.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from attrs import frozen

from connector_core.clock import Clock, rfc3339
from connector_core.model import ChangeCounts, Key
from connector_core.store.connections import publish_event
from connector_core.store.journal import PENDING_DAYS
from connector_core.store.runs import discard_staged

_COMPARED = ("status", "name", "login", "email", "parent", "profile")
_RESOURCE = "connection, type, id, name, login, email, status, parent, profile, began"
_GRANT = "connection, principal_type, principal_id, entitlement, began"


@frozen(kw_only=True)
class Removals:
    """What would leave the picture, beside how much there is: the figures that the guard judges.

    ``unseen`` are accounts that no page listed; ``ended`` counts grants that accounts still listed no longer hold.
    Those that a person accepted (``--accept-removals``) are left out of both counts.
    """

    unseen: int
    accounts: int
    ended: int
    grants: int


class Publisher:
    """One sync's way into the picture. Used by one thread, inside its transactions."""

    def __init__(self, db: sqlite3.Connection, connection: int, sync: int) -> None:
        self._db = db
        self._connection = connection
        self._sync = sync
        self._names = {"connection": connection, "sync": sync}

    # -- before publishing: what would leave ---------------------------------------------------------------

    def find_removals(self, whole_streams: Iterable[str], now: float) -> None:
        """Work out ``unseen`` and ``ending``, temporary tables of what would leave the picture.

        :param whole_streams: those that added up: a grant they no longer give has ended.
        :param now: seconds since 1970.
        """
        self._run(
            "DROP TABLE IF EXISTS temp.unseen",
            "DROP TABLE IF EXISTS temp.ending",
            "UPDATE staged SET state = 'yielded' WHERE sync = :sync AND EXISTS (SELECT 1 FROM touched t "
            "WHERE t.connection = :connection AND t.type = staged.type AND t.id = staged.id AND t.mark > staged.asked)",
            "CREATE TEMP TABLE unseen AS SELECT r.type, r.id FROM main.resources r WHERE r.connection = :connection "
            "AND NOT EXISTS (SELECT 1 FROM staged s WHERE s.sync = :sync AND s.type = r.type AND s.id = r.id) "
            "AND NOT EXISTS (SELECT 1 FROM touched t WHERE t.connection = r.connection AND t.type = r.type "
            "AND t.id = r.id AND t.mark > (SELECT mark FROM sync_runs WHERE id = :sync)) "
            f"AND NOT (r.status = 'pending' AND {_INVITED})",
            _ENDING,
            streams=json.dumps(list(whole_streams)),
            invited_since=rfc3339(now - PENDING_DAYS * 86_400),
        )

    def removals(self, *, accepted: bool) -> Removals:
        """Count what `find_removals` found; with ``accepted``, only what the last held sync did not name."""
        but = "AND NOT EXISTS (SELECT 1 FROM held_removals h WHERE h.connection = :connection AND " if accepted else ""
        no_resource = f"{but} h.type = u.type AND h.id = u.id AND h.entitlement = 0)" if but else ""
        same = "h.type = e.principal_type AND h.id = e.principal_id AND h.entitlement = e.entitlement"
        no_grant = f"{but} {same})" if but else ""
        accounts = "JOIN resource_types t ON t.connection = :connection AND t.type = {0}.type AND t.account"
        return Removals(
            unseen=self._count(f"temp.unseen u {accounts.format('u')} WHERE 1 {no_resource}"),
            accounts=self._count(f"resources r {accounts.format('r')} WHERE r.connection = :connection"),
            ended=self._count(f"temp.ending e WHERE 1 {no_grant}"),
            grants=self._count("grants WHERE connection = :connection"),
        )

    def address_changed(self) -> bool:
        """Whether the last published sync read from another address."""
        return bool(
            self._count(
                "connections c JOIN sync_runs s ON s.id = :sync WHERE c.id = :connection AND c.address <> s.address"
            )
        )

    def unseen(self) -> list[Key]:
        """The resources that no page listed: each is to be read by its id before it may end."""
        return [Key(*row) for row in self._db.execute("SELECT type, id FROM temp.unseen ORDER BY type, id")]

    def hold(self) -> None:
        """Remember what would have left, for a person to accept by `--accept-removals`."""
        self._run(
            "DELETE FROM held_removals WHERE connection = :connection",
            "INSERT INTO held_removals SELECT :connection, type, id, 0 FROM temp.unseen",
            "INSERT INTO held_removals SELECT :connection, principal_type, principal_id, entitlement FROM temp.ending",
        )

    def take_as_gone(self) -> None:
        """Count everything unseen as gone: for a connector that cannot read single resources."""
        self._run(
            "INSERT INTO staged (sync, type, id, state, stream, readings, whole, asked, unknown, changed) "
            "SELECT :sync, type, id, 'gone', '', 0, 0, 0, 0, 0 FROM temp.unseen"
        )

    # -- publishing ----------------------------------------------------------------------------------------

    def publish(self, clock: Clock) -> tuple[int, ChangeCounts]:
        """Carry everything over, in the caller's transaction, after `find_removals`: the event and what changed."""
        event = publish_event(self._db, self._connection, self._sync, "sync", rfc3339(clock.now()))
        self._names["event"] = event
        first = self._count("connections WHERE id = :connection AND baseline IS NULL") == 1
        if not first:  # the first picture is the baseline: nothing in it is a change
            self._log_resources()
        self._move_resources()
        self._find_grants()
        if not first:
            self._log_grants()
        self._move_grants()
        self._run(
            "UPDATE connections SET address = (SELECT address FROM sync_runs WHERE id = :sync), "
            "baseline = coalesce(baseline, :event) WHERE id = :connection",
            "UPDATE sync_runs SET event = :event WHERE id = :sync",
            "DELETE FROM held_removals WHERE connection = :connection",
        )
        counts = self._count_changes()
        discard_staged(self._db, self._connection)
        return event, counts

    def _log_resources(self) -> None:
        """One row for an account that comes or goes, one for each field of it that is another."""
        self._run(
            f"{_LOG} SELECT :connection, :event, 'added', s.type, s.id, s.login, {_WHAT.format('s')}, NULL, "
            f"{_LABEL.format('s')} FROM staged s LEFT JOIN {_SAME} WHERE {_CHANGED} AND r.id IS NULL",
            f"{_LOG} SELECT :connection, :event, 'removed', r.type, r.id, r.login, {_WHAT.format('r')}, "
            f"{_LABEL.format('r')}, NULL FROM staged s JOIN {_SAME} WHERE s.sync = :sync AND s.state = 'gone'",
            *(
                f"{_LOG} SELECT :connection, :event, 'changed', s.type, s.id, s.login, '{field}', r.{field}, s.{field} "
                f"FROM staged s JOIN {_SAME} WHERE {_CHANGED} AND r.{field} IS NOT s.{field}"
                for field in _COMPARED
            ),
        )

    def _move_resources(self) -> None:
        into_history = (
            f"INSERT INTO resource_history ({_RESOURCE}, ended) SELECT r.*, :event FROM staged s JOIN {_SAME}"
        )
        self._run(
            f"{into_history} WHERE {_CHANGED}",
            f"{into_history} WHERE s.sync = :sync AND s.state = 'gone'",
            f"INSERT OR REPLACE INTO resources ({_RESOURCE}) SELECT :connection, type, id, name, login, email, status, "
            f"parent, profile, :event FROM staged s WHERE {_CHANGED}",
            "DELETE FROM resources WHERE connection = :connection AND (type, id) IN "
            "(SELECT type, id FROM staged WHERE sync = :sync AND state = 'gone')",
        )

    def _find_grants(self) -> None:
        """``starting`` and the final ``ending``, with what principals proven gone held."""
        self._run(
            "DROP TABLE IF EXISTS temp.starting",
            "CREATE TEMP TABLE starting AS SELECT g.principal_type, g.principal_id, g.entitlement, g.stream "
            "FROM staged_grants g WHERE g.sync = :sync AND NOT EXISTS (SELECT 1 FROM grants c "
            "WHERE c.connection = :connection AND c.principal_type = g.principal_type "
            "AND c.principal_id = g.principal_id AND c.entitlement = g.entitlement) "
            "AND NOT EXISTS (SELECT 1 FROM staged s WHERE s.sync = g.sync AND s.type = g.principal_type "
            "AND s.id = g.principal_id AND s.state IN ('gone', 'yielded'))",
            "INSERT INTO temp.ending SELECT g.principal_type, g.principal_id, g.entitlement FROM staged s "
            "JOIN grants g ON g.connection = :connection AND g.principal_type = s.type AND g.principal_id = s.id "
            "WHERE s.sync = :sync AND s.state = 'gone'",
        )

    def _log_grants(self) -> None:
        """One row for each grant; a swap within an exclusive group is one changed row."""
        self._run(
            "DROP TABLE IF EXISTS temp.swap",
            "CREATE TEMP TABLE swap AS SELECT n.principal_type, n.principal_id, n.entitlement AS started, "
            "o.entitlement AS ended FROM temp.starting n "
            "JOIN temp.ending o USING (principal_type, principal_id) JOIN entitlements a ON a.id = n.entitlement "
            "JOIN entitlements b ON b.id = o.entitlement AND b.exclusive = a.exclusive",
            f"{_LOG} SELECT :connection, :event, 'changed', w.principal_type, w.principal_id, {_LOGIN.format('w')}, "
            f"'grant', {_NAMED.format('w.ended')}, {_NAMED.format('w.started')} FROM temp.swap w",
            f"{_LOG} SELECT :connection, :event, 'added', g.principal_type, g.principal_id, {_LOGIN.format('g')}, "
            f"'grant', NULL, {_NAMED.format('g.entitlement')} FROM temp.starting g WHERE NOT EXISTS (SELECT 1 FROM "
            "temp.swap w WHERE (w.principal_type, w.principal_id, w.started) = "
            "(g.principal_type, g.principal_id, g.entitlement))",
            f"{_LOG} SELECT :connection, :event, 'removed', g.principal_type, g.principal_id, {_LOGIN.format('g')}, "
            f"'grant', {_NAMED.format('g.entitlement')}, NULL FROM temp.ending g WHERE NOT EXISTS (SELECT 1 FROM "
            "temp.swap w WHERE (w.principal_type, w.principal_id, w.ended) = "
            "(g.principal_type, g.principal_id, g.entitlement))",
        )

    def _move_grants(self) -> None:
        is_ending = "(principal_type, principal_id, entitlement) IN (SELECT * FROM temp.ending)"
        unknown = (
            "(principal_type, principal_id) IN "
            "(SELECT type, id FROM staged WHERE sync = :sync AND state <> 'yielded' AND unknown)"
        )
        self._run(
            f"INSERT INTO grant_history ({_GRANT}, ended) SELECT {_GRANT}, :event FROM grants "
            f"WHERE connection = :connection AND {is_ending}",
            f"DELETE FROM grants WHERE connection = :connection AND {is_ending}",
            f"INSERT INTO grants ({_GRANT}, source, confirmed) SELECT :connection, principal_type, principal_id, "
            "entitlement, :event, stream, 1 FROM temp.starting",
            f"UPDATE grants SET confirmed = 0 WHERE connection = :connection AND confirmed AND {unknown}",
            f"UPDATE grants SET confirmed = 1 WHERE connection = :connection AND NOT confirmed AND NOT {unknown}",
        )

    def _count_changes(self) -> ChangeCounts:
        query = "SELECT kind, count(*) FROM change_log WHERE connection = :connection AND event = :event GROUP BY kind"
        counts = ChangeCounts(**dict(self._db.execute(query, self._names).fetchall()))
        self._db.execute(
            "UPDATE sync_runs SET added = ?, removed = ?, changed = ? WHERE id = ?",
            (counts.added, counts.removed, counts.changed, self._sync),
        )
        return counts

    def _run(self, *statements: str, **names: object) -> None:
        for statement in statements:
            self._db.execute(statement, {**self._names, **names})

    def _count(self, what: str) -> int:
        count: int = self._db.execute(f"SELECT count(*) FROM {what}", self._names).fetchone()[0]
        return count


# A grant has ended where its principal was read and the grant was not among what it holds, and the reading that would
# have shown it is known to be whole: the principal's own page or a read by its id, or a stream that added up, or
# another grant of the same exclusive group.
_ENDING = """
CREATE TEMP TABLE ending AS
SELECT g.principal_type, g.principal_id, g.entitlement FROM grants g
JOIN staged s ON s.sync = :sync AND s.type = g.principal_type AND s.id = g.principal_id
WHERE g.connection = :connection AND s.state = 'row' AND NOT s.unknown
AND NOT EXISTS (
    SELECT 1 FROM staged_grants n WHERE n.sync = :sync AND n.principal_type = g.principal_type
    AND n.principal_id = g.principal_id AND n.entitlement = g.entitlement)
AND (s.whole OR s.stream = g.source OR g.source IN (SELECT value FROM json_each(:streams)) OR EXISTS (
    SELECT 1 FROM staged_grants n JOIN entitlements a ON a.id = n.entitlement
    JOIN entitlements b ON b.id = g.entitlement AND b.exclusive = a.exclusive
    WHERE n.sync = :sync AND n.principal_type = g.principal_type AND n.principal_id = g.principal_id))
"""
# Created by our journal not long ago, and perhaps not listed before the person signs in (W14).
_INVITED = (
    "EXISTS (SELECT 1 FROM journal j WHERE j.connection = r.connection AND j.type = r.type AND j.account = r.id "
    "AND j.kind = 'create_account' AND j.state = 'done' AND j.finished > :invited_since)"
)
_CHANGED = "s.sync = :sync AND s.state = 'row' AND s.changed"
_SAME = "resources r ON r.connection = :connection AND r.type = s.type AND r.id = s.id"
_LOG = "INSERT INTO change_log (connection, event, kind, type, resource_id, login, what, before, after)"
_LABEL = "coalesce({0}.login, {0}.name, {0}.id)"
_WHAT = (
    "CASE WHEN (SELECT account FROM resource_types t WHERE t.connection = :connection AND t.type = {0}.type) "
    "THEN 'account' ELSE {0}.type END"
)
_LOGIN = (
    "coalesce((SELECT login FROM resources WHERE connection = :connection AND type = {0}.principal_type "
    "AND id = {0}.principal_id), (SELECT login FROM resource_history WHERE connection = :connection "
    "AND type = {0}.principal_type AND id = {0}.principal_id AND ended = :event))"
)
_NAMED = "(SELECT type || ':' || resource_id || ':' || slug FROM entitlements WHERE id = {0})"
