"""From what a sync staged to the picture: differences found by set, written in one transaction, with history.

What ends is: a resource proven gone, with all it held and all that was held on it; and the grants that
`connector_core.store.endings` found.
"""

from __future__ import annotations

import sqlite3

from connector_core.clock import Clock, rfc3339
from connector_core.model import ChangeCounts
from connector_core.store.activity import PUBLISH_ACTIVITY
from connector_core.store.columns import COLUMNS, FIELDS, as_text_sql, name_keys
from connector_core.store.connections import ENTITLEMENT_COLUMNS, publish_event
from connector_core.store.endings import ANY_GRANTS, SOURCE_GAVE
from connector_core.store.rows import HELD_NOW
from connector_core.store.runs import discard_staged

_GRANT = "connection, principal_type, principal_id, entitlement, began, since, confirmed"


class Publisher:
    """One sync's way into the picture. Used by one thread, inside its transaction, after `Removals.find`."""

    def __init__(self, db: sqlite3.Connection, connection: int, sync: int) -> None:
        self._db = db
        self._connection = connection
        self._sync = sync
        self._names = {"connection": connection, "sync": sync}

    def publish(self, clock: Clock) -> ChangeCounts:
        """Carry everything over; what changed by it."""
        event = publish_event(self._db, self._connection, self._sync, "sync", rfc3339(clock.now()))
        self._names["event"] = event
        self._run(_DEFINE)
        self._find()
        if self._count("connections WHERE id = :connection AND baseline IS NOT NULL"):
            self._log_resources()
            self._log_grants()
        self._move_grants()
        self._move_resources()
        self._run(*PUBLISH_ACTIVITY)
        self._run(
            "UPDATE connections SET address = (SELECT address FROM sync_runs WHERE id = :sync), "
            "baseline = coalesce(baseline, :event) WHERE id = :connection",
            "UPDATE sync_runs SET event = :event WHERE id = :sync",
            "DELETE FROM held_removals WHERE connection = :connection",
        )
        counts = self._count_changes()
        discard_staged(self._db, self._connection)
        return counts

    def _find(self) -> None:
        """Work out temporary tables, and with what the gone held the final `ending`."""
        tables = (f"DROP TABLE IF EXISTS temp.{table}" for table in ("gone", "starting", "standing", "swap"))
        self._run("DROP VIEW IF EXISTS temp.coming", *tables, *_FIND)

    # -- the log of changes --------------------------------------------------------------------------------

    def _log_resources(self) -> None:
        """One row for a resource that comes or goes, one for each field of it that is another."""
        self._run(
            f"{_LOG} SELECT :connection, :event, 'added', s.type, s.id, s.login, {_WHAT.format('s')}, NULL, "
            f"{_LABEL.format('s')} FROM temp.coming s LEFT JOIN {_SAME} WHERE r.id IS NULL",
            f"{_LOG} SELECT :connection, :event, 'removed', r.type, r.id, r.login, {_WHAT.format('r')}, "
            f"{_LABEL.format('r')}, NULL FROM temp.gone s JOIN {_SAME}",
            *(
                f"{_LOG} SELECT :connection, :event, 'changed', s.type, s.id, s.login, '{field}', "
                f"{as_text_sql(field, f'r.{field}')}, {as_text_sql(field, f's.{field}')} "
                f"FROM temp.coming s JOIN {_SAME} WHERE r.{field} IS NOT s.{field}"
                for field in FIELDS
            ),
        )

    def _log_grants(self) -> None:
        """One row for each grant; a swap within an exclusive group is one changed row."""
        self._run(
            f"{_LOG} SELECT :connection, :event, 'changed', w.principal_type, w.principal_id, {_LOGIN.format('w')}, "
            f"'grant', {_NAMED.format('w.ended')}, {_NAMED.format('w.started')} FROM temp.swap w",
            f"{_LOG} SELECT :connection, :event, 'added', g.principal_type, g.principal_id, {_LOGIN.format('g')}, "
            f"'grant', NULL, {_NAMED.format('g.entitlement')} FROM temp.starting g "
            "WHERE (g.principal_type, g.principal_id, g.entitlement) NOT IN "
            "(SELECT principal_type, principal_id, started FROM temp.swap)",
            f"{_LOG} SELECT :connection, :event, 'removed', g.principal_type, g.principal_id, {_LOGIN.format('g')}, "
            f"'grant', {_NAMED.format('g.entitlement')}, NULL FROM temp.ending g "
            "WHERE (g.principal_type, g.principal_id, g.entitlement) NOT IN "
            "(SELECT principal_type, principal_id, ended FROM temp.swap)",
        )

    # -- the picture ---------------------------------------------------------------------------------------

    def _move_resources(self) -> None:
        """Each with its history; new ones are numbered in the order in which they were listed."""
        self._names["numbered"] = self._one(
            "SELECT numbered - coalesce((SELECT min(seq) - 1 FROM staged WHERE sync = :sync), 0) FROM connections "
            "WHERE id = :connection"
        )
        if self._one("SELECT EXISTS (SELECT 1 FROM current_resources WHERE connection = :connection)"):
            into_history = f"INSERT INTO resource_history ({COLUMNS}, ended) SELECT {_columns('r', COLUMNS)}, :event"
            self._run(
                f"{into_history} FROM temp.coming s JOIN {_SAME}",
                f"{into_history} FROM temp.gone s JOIN {_SAME}",
                f"{_PUT} {_CHANGED} FROM temp.coming s JOIN {_SAME}",
                f"{_PUT} {_NEW} FROM temp.coming s LEFT JOIN {_SAME} WHERE r.id IS NULL",
                "DELETE FROM current_resources WHERE (connection, type, id) IN "
                "(SELECT :connection, type, id FROM temp.gone)",
            )
        else:  # the first time: reading what is written would make a copy of all
            self._run(f"{_PUT} {_NEW} FROM temp.coming s")
        self._run(
            "UPDATE connections SET numbered = max(numbered, coalesce((SELECT max(:numbered + seq) FROM staged "
            "WHERE sync = :sync), 0)) WHERE id = :connection"
        )

    def _move_grants(self) -> None:
        """End and begin grants; one that is confirmed or unconfirmed now begins a new version."""
        into_history = f"INSERT INTO grant_history ({_GRANT}, ended) SELECT {_columns('g', _GRANT)}, :event"
        standing = f"temp.standing n JOIN {_SAME_GRANT.format('n')}"
        self._run(
            f"{into_history} FROM temp.ending n JOIN {_SAME_GRANT.format('n')}",
            "DELETE FROM grants WHERE (connection, principal_type, principal_id, entitlement) IN "
            "(SELECT :connection, principal_type, principal_id, entitlement FROM temp.ending)",
            f"{into_history} FROM {standing} WHERE g.confirmed <> n.confirmed",
            f"INSERT OR REPLACE INTO grants ({_GRANT}, source, inline) SELECT :connection, g.principal_type, "
            "g.principal_id, g.entitlement, iif(g.confirmed = n.confirmed, g.began, :event), "
            "iif(g.confirmed = n.confirmed, g.since, coalesce(g.since, g.began)), n.confirmed, n.source, n.inline "
            f"FROM {standing}",
            f"INSERT INTO grants ({_GRANT}, source, inline) SELECT :connection, principal_type, principal_id, "
            "entitlement, :event, NULL, 1, source, inline FROM temp.starting",
            "DELETE FROM grant_sources AS o WHERE connection = :connection AND stream IN temp.whole AND NOT EXISTS "
            "(SELECT 1 FROM temp.seen_grants x WHERE x.stream = o.stream AND x.reading IN (1, 2) "
            "AND x.principal_type = o.principal_type AND x.principal_id = o.principal_id "
            "AND x.entitlement = o.entitlement)",
            "INSERT OR IGNORE INTO grant_sources SELECT :connection, x.principal_type, x.principal_id, x.entitlement, "
            f"x.stream FROM temp.seen_grants x CROSS JOIN {_SAME_GRANT.format('x')} WHERE x.stream <> g.source",
            *(  # before the new ones are there, which need no look
                f"UPDATE current_resources SET held = {HELD_NOW} WHERE (connection, type, id) IN "
                f"(SELECT :connection, principal_type, principal_id FROM temp.{table})"
                for table in ("ending", "standing", "starting")
            ),
        )

    def _count_changes(self) -> ChangeCounts:
        query = "SELECT kind, count(*) FROM change_log WHERE connection = :connection AND event = :event GROUP BY kind"
        counts = ChangeCounts(**dict(self._db.execute(query, self._names).fetchall()))
        self._db.execute(
            "UPDATE sync_runs SET added = ?, removed = ?, changed = ? WHERE id = ?",
            (counts.added, counts.removed, counts.changed, self._sync),
        )
        return counts

    def _run(self, *statements: str) -> None:
        for statement in statements:
            self._db.execute(statement, self._names)

    def _count(self, what: str) -> int:
        return self._one(f"SELECT count(*) FROM {what}")

    def _one(self, query: str) -> int:
        figure: int = self._db.execute(query, self._names).fetchone()[0]
        return figure


def _columns(alias: str, names: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in names.split(", "))


_DEFINE = f"""
UPDATE known_entitlements SET ({ENTITLEMENT_COLUMNS}) = (
    SELECT {ENTITLEMENT_COLUMNS} FROM staged_entitlements s WHERE s.sync = :sync AND s.entitlement = id)
WHERE id IN (SELECT entitlement FROM staged_entitlements WHERE sync = :sync)
"""
_LISTED = "NOT s.read_by_id AND s.stream <> '*'"  # a read by id says nothing about which stream gives a grant
_PUT = f"INSERT OR REPLACE INTO current_resources ({COLUMNS}, number, held)"
_COMING = f"SELECT :connection, s.type, s.id, {', '.join(f's.{name}' for name in FIELDS)}, :event"
_CHANGED = f"{_COMING}, coalesce(r.since, r.began), {name_keys('s.')}, r.number, r.held"
_HOLDS = f"CASE WHEN NOT s.unknown AND {_LISTED} THEN s.stream || s.held END"
_NEW = f"{_COMING}, NULL, {name_keys('s.')}, :numbered + s.seq, {_HOLDS}"
_SAME = "current_resources r ON r.connection = :connection AND r.type = s.type AND r.id = s.id"
_SAME_GRANT = (
    "grants g ON g.connection = :connection AND g.principal_type = {0}.principal_type "
    "AND g.principal_id = {0}.principal_id AND g.entitlement = {0}.entitlement"
)
_LOG = "INSERT INTO change_log (connection, event, kind, type, resource_id, login, what, before, after)"
_LABEL = "coalesce({0}.login, {0}.name, {0}.id)"
_WHAT = (
    "CASE WHEN (SELECT account FROM resource_types t WHERE t.connection = :connection AND t.type = {0}.type) "
    "THEN 'account' ELSE {0}.type END"
)
_LOGIN = (
    "coalesce((SELECT login FROM temp.coming WHERE type = {0}.principal_type AND id = {0}.principal_id), "
    "(SELECT login FROM current_resources WHERE connection = :connection AND type = {0}.principal_type "
    "AND id = {0}.principal_id))"
)
_NAMED = "(SELECT type || ':' || resource_id || ':' || slug FROM known_entitlements WHERE id = {0})"

_FIND = (
    "CREATE TEMP VIEW coming AS SELECT s.* FROM temp.seen k CROSS JOIN staged s ON s.seq = k.seq "
    "WHERE s.changed AND s.state = 'row'",  # in the order of their keys: so they are added at the end
    "CREATE TEMP TABLE gone AS SELECT type, id FROM staged WHERE sync = :sync AND state <> 'row' AND state = 'gone'",
    # all that the gone held, and all that was held on them
    "INSERT OR IGNORE INTO temp.ending SELECT g.principal_type, g.principal_id, g.entitlement FROM temp.gone s "
    "CROSS JOIN grants g ON g.connection = :connection AND g.principal_type = s.type AND g.principal_id = s.id",
    "INSERT OR IGNORE INTO temp.ending SELECT g.principal_type, g.principal_id, g.entitlement FROM grants g "
    "WHERE g.connection = :connection AND g.entitlement IN (SELECT n.id FROM temp.gone s "
    "JOIN known_entitlements n ON n.connection = :connection AND n.type = s.type AND n.resource_id = s.id)",
    # what is held now and was not before
    "CREATE TEMP TABLE starting (principal_type TEXT, principal_id TEXT, entitlement INTEGER, source TEXT, "
    "inline INTEGER, PRIMARY KEY (principal_type, principal_id, entitlement)) WITHOUT ROWID",
    f"INSERT OR IGNORE INTO temp.starting SELECT s.type, s.id, h.value, iif({_LISTED}, s.stream, '*'), 1 "
    "FROM staged s, json_each(s.held) h "
    "WHERE s.sync = :sync AND s.grants_differ AND s.state = 'row' AND NOT EXISTS (SELECT 1 FROM grants g WHERE "
    "g.connection = :connection AND g.principal_type = s.type AND g.principal_id = s.id AND g.entitlement = h.value)",
    "INSERT OR IGNORE INTO temp.starting SELECT n.principal_type, n.principal_id, n.entitlement, n.stream, 0 "
    f"FROM temp.given n LEFT JOIN {_SAME_GRANT.format('n')} WHERE g.connection IS NULL",
    # what is held still, where its standing or its source is another
    "CREATE TEMP TABLE standing (principal_type TEXT, principal_id TEXT, entitlement INTEGER, confirmed INTEGER, "
    "source TEXT, inline INTEGER, PRIMARY KEY (principal_type, principal_id, entitlement)) WITHOUT ROWID",
    f"INSERT INTO temp.standing SELECT s.type, s.id, h.value, 1, iif({_LISTED}, s.stream, g.source), "
    f"iif({_LISTED}, 1, g.inline) FROM staged s JOIN json_each(s.held) h CROSS JOIN grants g "
    "ON g.connection = :connection AND g.principal_type = s.type AND g.principal_id = s.id AND g.entitlement = h.value "
    f"WHERE s.sync = :sync AND s.grants_differ AND s.state = 'row' AND {ANY_GRANTS} "
    f"AND (NOT g.confirmed OR {_LISTED} AND (g.source, g.inline) <> (s.stream, 1))",
    # the stream that gives it now is remembered, unless the earlier one still gives it
    "INSERT OR IGNORE INTO temp.standing SELECT principal_type, principal_id, entitlement, 1, "
    "iif(moved, stream, source), iif(moved, 0, inline) FROM (SELECT g.*, n.stream, "
    f"n.stream <> g.source AND NOT {SOURCE_GAVE} AS moved FROM temp.given n JOIN {_SAME_GRANT.format('n')} "
    "WHERE (n.stream <> g.source OR NOT g.confirmed) AND NOT EXISTS (SELECT 1 FROM temp.denied d "
    "WHERE d.principal_type = n.principal_type "
    "AND d.principal_id = n.principal_id AND d.entitlement = n.entitlement)) WHERE moved OR NOT confirmed",
    # unknown is not absent: earlier grants stand, unconfirmed
    "INSERT OR IGNORE INTO temp.standing SELECT g.principal_type, g.principal_id, g.entitlement, 0, g.source, g.inline "
    "FROM staged s CROSS JOIN grants g ON g.connection = :connection AND g.principal_type = s.type "
    f"AND g.principal_id = s.id WHERE s.sync = :sync AND s.unknown AND s.state IN ('row', 'rejected') AND {ANY_GRANTS} "
    "AND g.confirmed "
    "AND NOT EXISTS (SELECT 1 FROM temp.given n WHERE n.principal_type = g.principal_type "
    "AND n.principal_id = g.principal_id AND n.entitlement = g.entitlement)",
    "INSERT OR IGNORE INTO temp.standing SELECT g.principal_type, g.principal_id, g.entitlement, 0, g.source, g.inline "
    f"FROM temp.unread n JOIN {_SAME_GRANT.format('n')} WHERE g.confirmed",
    "CREATE TEMP TABLE swap AS SELECT n.principal_type, n.principal_id, n.entitlement AS started, "
    "o.entitlement AS ended FROM temp.starting n JOIN temp.ending o USING (principal_type, principal_id) "
    "JOIN known_entitlements a ON a.id = n.entitlement JOIN known_entitlements b ON b.id = o.entitlement "
    "AND b.exclusive = a.exclusive",
)
