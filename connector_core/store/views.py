"""The public views, each defined once: documented in docs/state-file.md, and only ever added to.

They are made again after every migration, which itself neither drops nor makes one. A migration that changes a view and
nothing else is empty: it brings earlier files up to date all the same.
"""

from __future__ import annotations

import sqlite3

# What holds now, and what came before.
_RESOURCES = ("current_resources", "resource_history")
_GRANTS = ("grants", "grant_history")


def access_query(seed: str, *, past: bool = False, found: bool = False) -> str:
    """Return a query for what accounts hold, inherited grants included; it ends within its WHERE clause.

    :param seed: a query for these accounts: connection, type, id, and type and id once more.
    :param past: of the picture after event ``:at``, and not of the current one.
    :param found: the seed has found all, the last two being the type and id that each account holds through.
    """
    if not past:
        steps = "" if found else _STEP.format(table="grants", when="")
        now = {"resources": _RESOURCES[0], "held_on": _RESOURCES[0], "grants": _GRANTS[0], "last_login": "y.last_login"}
        return _ACCESS.format(seed=seed, steps=steps, past="", activity=_ACTIVITY, **now)
    past_tables = {name: "\n    UNION ALL ".join(_versions(query, tables)) for name, tables, query in _PAST_TABLES}
    past_text = "".join(f", {name} AS MATERIALIZED (\n    {query}\n)" for name, query in past_tables.items())
    steps = "" if found else "\n".join(_versions(_STEP, _GRANTS))
    then = {"resources": "past_resources", "held_on": "past_held_on", "grants": "past_grants", "last_login": "NULL"}
    return _ACCESS.format(seed=seed, steps=steps, past=past_text, activity="", **then)


def holders_query(*, past: bool = False) -> str:
    """Return a seed of `access_query` that has found all: the accounts that hold one of the entitlements ``:roles``.

    Grants lie in the order of their principals. So groups are looked up, and all grants gone through once.
    """
    grants = {
        name: "\n    UNION ALL ".join(_versions(query, _GRANTS) if past else [query.format(table="grants", when="")])
        for name, query in (("of_groups", _OF_GROUPS), ("of_all", _OF_ALL))
    }
    return _HOLDERS.format(**grants)


def _versions(query: str, tables: tuple[str, str]) -> list[str]:
    """Return that query over the versions at ``:at`` that still stand, and over those that ended later."""
    return [
        query.format(table=tables[0], when=" AND g.began <= :at"),
        query.format(table=tables[1], when=" AND g.began <= :at AND g.ended > :at"),
    ]


def drop_views(db: sqlite3.Connection) -> None:
    """Drop all views, which would stand in the way of a migration."""
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
        db.execute(f"DROP VIEW {name}")


def make_views(db: sqlite3.Connection) -> None:
    """Make all views."""
    for name, query in _VIEWS.items():
        db.execute(f"CREATE VIEW {name} AS\n{query}")


_ACCESS = """WITH RECURSIVE reach (connection, type, id, via_type, via_id) AS (
    {seed}
{steps}
){past}
SELECT c.name AS connection, r.id AS user_id, r.login AS user, r.name, r.email, r.status,
    n.type AS resource_type, n.resource_id AS role, n.slug AS entitlement,
    CASE WHEN (h.via_type, h.via_id) <> (r.type, r.id) THEN h.via_type || ':' || h.via_id END AS via,
    coalesce(g.confirmed, 1) AS confirmed, e.at AS since, o.name AS role_name, n.name AS entitlement_name,
    r.account_type, {last_login} AS last_login, r.mfa, r.manager
FROM reach h
JOIN {resources} r ON r.connection = h.connection AND r.type = h.type AND r.id = h.id
JOIN connections c ON c.id = r.connection{activity}
LEFT JOIN {grants} g ON g.connection = h.connection AND g.principal_type = h.via_type AND g.principal_id = h.via_id
LEFT JOIN known_entitlements n ON n.id = g.entitlement
LEFT JOIN {held_on} o ON o.connection = n.connection AND o.type = n.type AND o.id = n.resource_id
LEFT JOIN events e ON e.id = coalesce(g.since, g.began, r.since, r.began)
WHERE (n.id IS NOT NULL OR (h.via_type, h.via_id) = (r.type, r.id))"""
_ACTIVITY = "\nLEFT JOIN activity y ON y.connection = r.connection AND y.type = r.type AND y.id = r.id"
# CROSS JOIN: from each account to what it holds; the other way round, each would be compared with all there is.
_STEP = """  UNION
    SELECT h.connection, h.type, h.id, n.type, n.resource_id FROM reach h
    CROSS JOIN {table} g ON g.connection = h.connection AND g.principal_type = h.via_type
        AND g.principal_id = h.via_id{when}
    JOIN known_entitlements n ON n.id = g.entitlement AND n.expands"""
_HOLDERS = """WITH RECURSIVE roles (id) AS MATERIALIZED (
    SELECT value FROM json_each(:roles)
), groups (type, id, member) AS MATERIALIZED (
    SELECT type, resource_id, id FROM known_entitlements WHERE connection = :connection AND expands
), held_by_groups (type, id, entitlement) AS MATERIALIZED (
    {of_groups}
), passing (type, id, via_type, via_id) AS (
    SELECT type, id, type, id FROM held_by_groups WHERE entitlement IN roles
    UNION
    SELECT b.type, b.id, p.via_type, p.via_id FROM passing p
    JOIN groups k ON k.type = p.type AND k.id = p.id JOIN held_by_groups b ON b.entitlement = k.member
), giving (entitlement, via_type, via_id) AS MATERIALIZED (
    SELECT id, NULL, NULL FROM roles
    UNION SELECT k.member, p.via_type, p.via_id FROM passing p JOIN groups k ON k.type = p.type AND k.id = p.id
), holders (type, id, entitlement) AS (
    {of_all}
)
SELECT DISTINCT :connection, h.type, h.id, coalesce(v.via_type, h.type), coalesce(v.via_id, h.id)
FROM holders h JOIN resource_types t ON t.connection = :connection AND t.type = h.type AND t.account
JOIN giving v ON v.entitlement = h.entitlement"""
_OF_GROUPS = """SELECT k.type, k.id, g.entitlement FROM (SELECT DISTINCT type, id FROM groups) k CROSS JOIN {table} g
    ON g.connection = :connection AND g.principal_type = k.type AND g.principal_id = k.id{when}"""
_OF_ALL = """SELECT g.principal_type, g.principal_id, g.entitlement FROM {table} g
    WHERE g.connection = :connection AND g.entitlement IN (SELECT entitlement FROM giving){when}"""
# The past of those asked for, looked up by key. What is put together has to be named for SQLite to index it.
_PAST_TABLES = (
    (
        "past_resources", _RESOURCES,
        "SELECT g.connection, g.type, g.id, g.login, g.name, g.email, g.status, g.account_type, g.mfa, g.manager, "
        "g.began, g.since\n"
        "    FROM (SELECT DISTINCT connection, type, id FROM reach) k CROSS JOIN {table} g\n"
        "    ON g.connection = k.connection AND g.type = k.type AND g.id = k.id{when}",
    ),
    (
        "past_grants", _GRANTS,
        "SELECT g.connection, g.principal_type, g.principal_id, g.entitlement, g.began, g.since, g.confirmed\n"
        "    FROM (SELECT DISTINCT connection, via_type, via_id FROM reach) k CROSS JOIN {table} g\n"
        "    ON g.connection = k.connection AND g.principal_type = k.via_type AND g.principal_id = k.via_id{when}",
    ),
    (
        "past_held_on", _RESOURCES,
        "SELECT g.connection, g.type, g.id, g.name FROM (SELECT DISTINCT n.connection, n.type, n.resource_id\n"
        "    FROM past_grants p JOIN known_entitlements n ON n.id = p.entitlement) k CROSS JOIN {table} g\n"
        "    ON g.connection = k.connection AND g.type = k.type AND g.id = k.resource_id{when}",
    ),
)  # fmt: skip

_VIEWS = {
    "access": access_query(
        "SELECT r.connection, r.type, r.id, r.type, r.id FROM current_resources r\n"
        "    JOIN resource_types t ON t.connection = r.connection AND t.type = r.type AND t.account"
    ),
    "accounts": """\
SELECT c.name AS connection, r.id AS user_id, r.login AS user, r.name, r.email, r.status, r.profile, e.at AS since,
    r.type AS resource_type, r.account_type, y.last_login, y.created_at, r.mfa, r.manager
FROM current_resources r JOIN connections c ON c.id = r.connection
JOIN resource_types t ON t.connection = r.connection AND t.type = r.type AND t.account
JOIN events e ON e.id = coalesce(r.since, r.began)
LEFT JOIN activity y ON y.connection = r.connection AND y.type = r.type AND y.id = r.id""",
    "resources": """\
SELECT c.name AS connection, r.type AS resource_type, r.id AS resource_id, r.login, r.name, r.email, r.status,
    r.account_type, r.manager, r.mfa, y.last_login, y.created_at, r.parent, r.profile, e.at AS since
FROM current_resources r JOIN connections c ON c.id = r.connection
JOIN events e ON e.id = coalesce(r.since, r.began)
LEFT JOIN activity y ON y.connection = r.connection AND y.type = r.type AND y.id = r.id""",
    "entitlements": """\
SELECT c.name AS connection, n.type AS resource_type, n.resource_id AS role, r.name AS role_name,
    n.slug AS entitlement, n.name AS entitlement_name, n.description, n.privileged, n.exclusive, n.paid, n.expands
FROM known_entitlements n JOIN connections c ON c.id = n.connection
LEFT JOIN current_resources r ON r.connection = n.connection AND r.type = n.type AND r.id = n.resource_id
WHERE r.id IS NOT NULL OR EXISTS (SELECT 1 FROM grants g WHERE g.connection = n.connection AND g.entitlement = n.id)""",
    "changes": """\
SELECT c.name AS connection, s.id AS sync, j.id AS operation, e.at, l.kind,
    l.resource_id AS user_id, l.login AS user, l.what, l.before, l.after, j.who AS requested_by, j.reason
FROM change_log l JOIN connections c ON c.id = l.connection JOIN events e ON e.id = l.event
LEFT JOIN sync_runs s ON s.event = e.id LEFT JOIN journal j ON j.event = e.id""",
    "operations": """\
SELECT c.name AS connection, j.id, j.kind, j.account AS user_id, j.login AS user,
    j.resource_type, j.role, j.entitlement, j.state, j.outcome, j.verified, j.replaced, j.reactivated,
    j.who AS requested_by, j.reason,
    j.created, j.finished, json_extract(j.error, '$.message') AS error, j.part_of, j.apply,
    j.guard, j.setting, j.value_before, j.value_after
FROM journal j JOIN connections c ON c.id = j.connection""",
    "syncs": """\
SELECT c.name AS connection, s.id, s.status, s.started, s.finished, s.event, s.resumed, s.pages, s.requests,
    s.seconds, s.reason, s.rejected, s.added, s.removed, s.changed
FROM sync_runs s JOIN connections c ON c.id = s.connection""",
}
