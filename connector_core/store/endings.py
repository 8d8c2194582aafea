"""What ends a grant, and what does not, as SQL over what a sync staged.

A grant has ended where every stream that gave it was read whole and does not give it, where its principal was read and
the resource type says that such a read gives all grants, or where its principal now holds another one of the same
exclusive group. Publishing adds what is held by, or on, resources that are proven gone. All other grants stand; those
that could not be read are unconfirmed.

``temp.whole`` holds the streams that were read whole; ``temp.given`` the grants of pages that do not list their
principal; ``temp.denied`` those of them that a read of the principal by its id does not show; ``temp.ending`` grants
that have ended; ``temp.unread`` grants that stand although nothing gave them.
"""

from __future__ import annotations

# Looked at once: where nothing was held before, as in a first sync, nothing can end, and no row is looked at.
ANY_GRANTS = "EXISTS (SELECT 1 FROM grants WHERE connection = :connection)"

_COLUMNS = "principal_type TEXT, principal_id TEXT, entitlement INTEGER"
_KEY = "PRIMARY KEY (principal_type, principal_id, entitlement)) WITHOUT ROWID"
_TABLES = (
    *(f"DROP TABLE IF EXISTS temp.{table}" for table in ("whole", "given", "denied", "ending", "unread")),
    "CREATE TEMP TABLE whole AS SELECT value AS stream FROM json_each(:whole)",
    f"CREATE TEMP TABLE given ({_COLUMNS}, stream TEXT, {_KEY}",
    f"CREATE TEMP TABLE denied ({_COLUMNS}, stream TEXT, {_KEY}",
    f"CREATE TEMP TABLE ending ({_COLUMNS}, {_KEY}",
    f"CREATE TEMP TABLE unread ({_COLUMNS}, {_KEY}",
)
_SAME = (
    "{0}.principal_type = {1}.principal_type AND {0}.principal_id = {1}.principal_id "
    "AND {0}.entitlement = {1}.entitlement"
)
# What a page says of a principal counts for nothing where an operation has verified it since the sync began.
_UNTOUCHED = """
NOT EXISTS (SELECT 1 FROM touched t WHERE t.connection = :connection AND t.type = g.principal_type
    AND t.id = g.principal_id AND t.operation_watermark > (SELECT operation_watermark FROM sync_runs WHERE id = :sync))
"""
_GIVEN = f"""
INSERT OR IGNORE INTO temp.given
SELECT g.principal_type, g.principal_id, g.entitlement, g.stream FROM staged_grants g WHERE g.sync = :sync
AND {_UNTOUCHED}
AND NOT EXISTS (
    SELECT 1 FROM temp.seen k JOIN staged s ON s.seq = k.seq WHERE k.type = g.principal_type AND k.id = g.principal_id
    AND s.state IN ('gone', 'yielded'))
"""
_GIVES_ALL = """
EXISTS (SELECT 1 FROM resource_types t WHERE t.connection = :connection AND t.type = s.type AND t.gives_all)
"""
_ANY_LOOKUP = "EXISTS (SELECT 1 FROM frontier WHERE sync = :sync AND kind = 'lookup' AND state = 'done')"
_IN_LAST_READING = """
EXISTS (SELECT 1 FROM temp.seen_grants x WHERE x.principal_type = d.principal_type AND x.principal_id = d.principal_id
    AND x.entitlement = d.entitlement AND x.reading = 1 << (
        SELECT max(f.reading) - 1 FROM frontier f WHERE f.sync = :sync AND f.kind = 'page' AND f.stream = x.stream))
"""
# A stream gives it, and a read of its principal does not: of a stream that was read twice the second reading counts.
# A grant that was not in the picture does not begin by it.
_DENIED = (
    "INSERT INTO temp.denied SELECT n.principal_type, n.principal_id, n.entitlement, n.stream FROM temp.given n "
    "JOIN temp.seen k ON k.type = n.principal_type AND k.id = n.principal_id JOIN staged s ON s.seq = k.seq "
    f"WHERE {_ANY_LOOKUP} AND s.read_by_id AND s.state = 'row' AND NOT s.unknown AND {_GIVES_ALL} "
    "AND NOT EXISTS (SELECT 1 FROM json_each(s.held) WHERE value = n.entitlement)",
    f"DELETE FROM temp.given AS d WHERE EXISTS (SELECT 1 FROM temp.denied x WHERE {_SAME.format('x', 'd')}) "
    f"AND (NOT {_IN_LAST_READING} OR NOT EXISTS (SELECT 1 FROM grants x WHERE x.connection = :connection "
    f"AND {_SAME.format('x', 'd')}))",
    f"DELETE FROM temp.denied AS d WHERE NOT {_IN_LAST_READING}",
)
_UNKNOWN = """
EXISTS (SELECT 1 FROM staged_unknown u WHERE u.sync = :sync AND (u.entitlement = g.entitlement
    OR u.entitlement = 0 AND u.type = g.principal_type AND u.id = g.principal_id))
"""
# Another stream gave it, too, and was not read whole.
_OTHER_SOURCE = f"""
EXISTS (SELECT 1 FROM grant_sources o WHERE o.connection = :connection AND {_SAME.format("o", "g")}
    AND o.stream NOT IN temp.whole)
"""
# What is held on a resource that no page listed stands until that resource is proven gone. A grant that no stream gave
# yet, as after an operation, has ended where all streams were read whole without it, if its resource was listed or
# the entitlement was defined in this sync: the manifest's own need no resource that is listed.
_NOT_HELD = f"""
    s.state = 'row' AND NOT s.unknown
    AND NOT EXISTS (SELECT 1 FROM json_each(s.held) WHERE value = g.entitlement)
    AND NOT EXISTS (SELECT 1 FROM temp.given n WHERE {_SAME.format("n", "g")})
    AND NOT {_UNKNOWN}
    AND NOT EXISTS (SELECT 1 FROM known_entitlements n JOIN temp.unseen u ON u.type = n.type AND u.id = n.resource_id
        WHERE n.id = g.entitlement)
    AND ({_GIVES_ALL}
        OR (g.source IN temp.whole AND NOT {_OTHER_SOURCE} AND {_UNTOUCHED})
        OR (:everything AND g.source = '*' AND {_UNTOUCHED} AND (EXISTS (
            SELECT 1 FROM known_entitlements n JOIN temp.seen k ON k.type = n.type AND k.id = n.resource_id
            JOIN staged r ON r.seq = k.seq WHERE n.id = g.entitlement AND r.state = 'row')
            OR EXISTS (SELECT 1 FROM staged_entitlements d WHERE d.sync = :sync AND d.entitlement = g.entitlement)))
        OR EXISTS (
            SELECT 1 FROM known_entitlements a
            JOIN known_entitlements b ON b.id = g.entitlement AND b.exclusive = a.exclusive
            WHERE a.id IN (SELECT value FROM json_each(s.held) UNION ALL SELECT n.entitlement FROM temp.given n
                WHERE n.principal_type = g.principal_type AND n.principal_id = g.principal_id)))
"""
_INTO_ENDING = "INSERT OR IGNORE INTO temp.ending SELECT g.principal_type, g.principal_id, g.entitlement"
# Grants given with their principal need a look only where its row says that they differ (`grants_differ`).
_ENDING = (
    f"{_INTO_ENDING} FROM staged s CROSS JOIN grants g ON g.connection = :connection AND g.principal_type = s.type "
    f"AND g.principal_id = s.id WHERE s.sync = :sync AND s.grants_differ AND {ANY_GRANTS} AND {_NOT_HELD}",
    f"{_INTO_ENDING} FROM grants g CROSS JOIN temp.seen k ON k.type = g.principal_type AND k.id = g.principal_id "
    f"JOIN staged s ON s.seq = k.seq WHERE g.connection = :connection AND NOT g.inline "
    f"AND {_NOT_HELD}",
)
# Rows that are as in the picture hold what was given with them.
_UNREAD = f"""
INSERT INTO temp.unread
SELECT g.principal_type, g.principal_id, g.entitlement FROM grants g WHERE g.connection = :connection
AND (g.source <> '*' AND g.source NOT IN temp.whole OR {_OTHER_SOURCE} OR {_UNKNOWN}
    OR EXISTS (SELECT 1 FROM temp.denied d WHERE {_SAME.format("d", "g")}))
AND NOT EXISTS (SELECT 1 FROM temp.ending e WHERE {_SAME.format("e", "g")})
AND NOT EXISTS (SELECT 1 FROM temp.given n WHERE {_SAME.format("n", "g")}
    AND NOT EXISTS (SELECT 1 FROM temp.denied d WHERE {_SAME.format("d", "n")}))
AND NOT EXISTS (SELECT 1 FROM temp.seen k JOIN staged s ON s.seq = k.seq WHERE k.type = g.principal_type
    AND k.id = g.principal_id AND s.state = 'row' AND EXISTS (
        SELECT 1 FROM json_each(s.held) WHERE value = g.entitlement))
AND NOT (g.inline AND EXISTS (SELECT 1 FROM current_resources r JOIN temp.same s ON s.number = r.number
    WHERE r.connection = :connection AND r.type = g.principal_type AND r.id = g.principal_id))
AND {_UNTOUCHED}
"""
FIND_ENDINGS = (*_TABLES, _GIVEN, *_DENIED, *_ENDING, _UNREAD)
"""To be run after ``temp.unseen`` was made. ``:whole``: names of the streams that were read whole, as JSON;
``:everything``: whether all were."""

# Whether the stream that gave a grant ``g`` of the picture gave it in this sync, too.
SOURCE_GAVE = f"""(
    EXISTS (SELECT 1 FROM temp.seen_grants x WHERE x.stream = g.source AND x.reading IN (1, 2)
        AND {_SAME.format("x", "g")})
    OR EXISTS (SELECT 1 FROM temp.seen k JOIN staged s ON s.seq = k.seq WHERE k.type = g.principal_type
        AND k.id = g.principal_id AND s.stream = g.source AND EXISTS (
            SELECT 1 FROM json_each(s.held) WHERE value = g.entitlement)))"""
