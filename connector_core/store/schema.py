"""The state file's tables and public views, as numbered migrations.

``resources`` and ``grants`` hold the picture; their ``_history`` twins hold what came before, with the events between
which it stood. What a running sync has read lies in ``staged`` and ``staged_grants`` until it is published, so that no
reader ever sees half a sync. Events are numbered in one sequence for syncs and operations of all connections.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("connector_core")

_RESOURCE = """
    connection INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    name TEXT, login TEXT, email TEXT, status TEXT NOT NULL, parent TEXT, profile TEXT NOT NULL,
    began INTEGER NOT NULL"""
_GRANT = """
    connection INTEGER NOT NULL, principal_type TEXT NOT NULL, principal_id TEXT NOT NULL,
    entitlement INTEGER NOT NULL REFERENCES entitlements(id), began INTEGER NOT NULL"""

_TABLES = f"""
CREATE TABLE connections (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, connector TEXT NOT NULL,
    address TEXT,           -- digest of the address settings of the last published sync
    baseline INTEGER,       -- the first published event; what it brought is no change
    holder TEXT             -- who took the lock last
) STRICT;
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, connection INTEGER NOT NULL REFERENCES connections(id),
    kind TEXT NOT NULL CHECK (kind IN ('sync', 'operation')),
    at TEXT                 -- when it entered the picture; NULL while it has not
) STRICT;
CREATE INDEX events_published ON events (connection, id) WHERE at IS NOT NULL;
CREATE TABLE resource_types (
    connection INTEGER NOT NULL REFERENCES connections(id), type TEXT NOT NULL, display_name TEXT NOT NULL,
    account INTEGER NOT NULL, role INTEGER NOT NULL, PRIMARY KEY (connection, type)
) STRICT, WITHOUT ROWID;
CREATE TABLE entitlements (
    id INTEGER PRIMARY KEY, connection INTEGER NOT NULL REFERENCES connections(id),
    type TEXT NOT NULL, resource_id TEXT NOT NULL, slug TEXT NOT NULL, name TEXT NOT NULL, exclusive TEXT,
    paid INTEGER NOT NULL DEFAULT 0, expands INTEGER NOT NULL DEFAULT 0,
    sync INTEGER,           -- the last sync that read its definition; NULL where only a grant named it
    UNIQUE (connection, type, resource_id, slug)
) STRICT;

-- the picture, and what came before it
CREATE TABLE resources ({_RESOURCE}, PRIMARY KEY (connection, type, id)) STRICT, WITHOUT ROWID;
CREATE TABLE resource_history ({_RESOURCE}, ended INTEGER NOT NULL) STRICT;
CREATE INDEX resource_history_key ON resource_history (connection, type, id, began);
CREATE TABLE grants ({_GRANT},
    source TEXT NOT NULL,   -- the stream that gave it
    confirmed INTEGER NOT NULL,
    PRIMARY KEY (connection, principal_type, principal_id, entitlement)) STRICT, WITHOUT ROWID;
CREATE TABLE grant_history ({_GRANT}, ended INTEGER NOT NULL) STRICT;
CREATE INDEX grant_history_key ON grant_history (connection, principal_type, principal_id, began);
CREATE TABLE change_log (
    id INTEGER PRIMARY KEY, connection INTEGER NOT NULL REFERENCES connections(id),
    event INTEGER NOT NULL REFERENCES events(id), kind TEXT NOT NULL,
    type TEXT NOT NULL, resource_id TEXT NOT NULL, login TEXT, what TEXT NOT NULL, before TEXT, after TEXT
) STRICT;
CREATE INDEX change_log_event ON change_log (connection, event);
CREATE TABLE touched (      -- what an operation verified; ``mark`` counts up, and pages asked for earlier yield to it
    connection INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, mark INTEGER NOT NULL,
    PRIMARY KEY (connection, type, id)
) STRICT, WITHOUT ROWID;

-- syncs, and the one that runs
CREATE TABLE sync_runs (
    id INTEGER PRIMARY KEY REFERENCES events(id), connection INTEGER NOT NULL REFERENCES connections(id),
    status TEXT NOT NULL, phase TEXT NOT NULL, started TEXT NOT NULL, alive TEXT NOT NULL, finished TEXT,
    event INTEGER REFERENCES events(id), version TEXT NOT NULL, reading TEXT NOT NULL, address TEXT NOT NULL,
    mark INTEGER NOT NULL,  -- the newest of `touched` when it began
    resumed INTEGER NOT NULL DEFAULT 0, pages INTEGER NOT NULL DEFAULT 0, requests INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, reason TEXT, error TEXT, rejected INTEGER NOT NULL DEFAULT 0,
    added INTEGER NOT NULL DEFAULT 0,
    removed INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX sync_runs_connection ON sync_runs (connection, id);
CREATE TABLE frontier (     -- cursors: the open ones are to be asked for, by the done ones a stream is judged
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice: a late page must not meet another's row
    sync INTEGER NOT NULL REFERENCES sync_runs(id),
    kind TEXT NOT NULL,     -- 'page'; 'confirm' reads one resource by its key, which is its position
    stream TEXT NOT NULL, reading INTEGER NOT NULL, position TEXT NOT NULL, idx INTEGER,
    root INTEGER NOT NULL,  -- handed out by another stream: where this one begins
    state TEXT NOT NULL DEFAULT 'open', total INTEGER, rows INTEGER, fresh INTEGER, start INTEGER,
    first TEXT, last TEXT, looped INTEGER NOT NULL DEFAULT 0,
    UNIQUE (sync, kind, stream, reading, position)
) STRICT;
CREATE INDEX frontier_open ON frontier (sync, id) WHERE state = 'open';
CREATE TABLE staged (
    sync INTEGER NOT NULL REFERENCES sync_runs(id), type TEXT NOT NULL, id TEXT NOT NULL,
    state TEXT NOT NULL,    -- 'row': read; 'rejected': unreadable; 'gone': proven gone; 'yielded': see touched
    stream TEXT NOT NULL, readings INTEGER NOT NULL,    -- readings: a bit for each reading that listed it
    whole INTEGER NOT NULL, -- read by its id: all its grants are here
    asked INTEGER NOT NULL, unknown INTEGER NOT NULL, changed INTEGER NOT NULL, name TEXT, login TEXT, email TEXT, status TEXT, parent TEXT, profile TEXT,
    PRIMARY KEY (sync, type, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE staged_grants (
    sync INTEGER NOT NULL REFERENCES sync_runs(id), principal_type TEXT NOT NULL, principal_id TEXT NOT NULL,
    entitlement INTEGER NOT NULL, stream TEXT NOT NULL,
    PRIMARY KEY (sync, principal_type, principal_id, entitlement)
) STRICT, WITHOUT ROWID;
CREATE TABLE held_removals (
    connection INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    entitlement INTEGER NOT NULL,   -- 0: the resource itself
    PRIMARY KEY (connection, type, id, entitlement)
) STRICT, WITHOUT ROWID;
CREATE TABLE logs (
    id INTEGER PRIMARY KEY, connection INTEGER NOT NULL REFERENCES connections(id), sync INTEGER,
    at TEXT NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL, data TEXT NOT NULL
) STRICT;
CREATE INDEX logs_sync ON logs (connection, sync);
"""

# Public views: documented in the README, only ever added to.
_VIEWS = """
CREATE VIEW accounts AS
SELECT c.name AS connection, r.id AS user_id, r.login AS user, r.name, r.email, r.status, r.profile, e.at AS since
FROM resources r JOIN connections c ON c.id = r.connection
JOIN resource_types t ON t.connection = r.connection AND t.type = r.type AND t.account
JOIN events e ON e.id = r.began;

CREATE VIEW access AS
WITH RECURSIVE reach (connection, type, id, via_type, via_id) AS (
    SELECT r.connection, r.type, r.id, r.type, r.id FROM resources r
    JOIN resource_types t ON t.connection = r.connection AND t.type = r.type AND t.account
  UNION
    SELECT h.connection, h.type, h.id, n.type, n.resource_id FROM reach h
    JOIN grants g ON g.connection = h.connection AND g.principal_type = h.via_type AND g.principal_id = h.via_id
    JOIN entitlements n ON n.id = g.entitlement AND n.expands
)
SELECT c.name AS connection, r.id AS user_id, r.login AS user, r.name, r.email, r.status,
    n.type AS resource_type, n.resource_id AS role, n.slug AS entitlement,
    CASE WHEN (h.via_type, h.via_id) <> (r.type, r.id) THEN h.via_type || ':' || h.via_id END AS via,
    coalesce(g.confirmed, 1) AS confirmed, e.at AS since
FROM reach h
JOIN resources r ON r.connection = h.connection AND r.type = h.type AND r.id = h.id
JOIN connections c ON c.id = r.connection
LEFT JOIN grants g ON g.connection = h.connection AND g.principal_type = h.via_type AND g.principal_id = h.via_id
LEFT JOIN entitlements n ON n.id = g.entitlement
LEFT JOIN events e ON e.id = coalesce(g.began, r.began)
WHERE n.id IS NOT NULL OR (h.via_type, h.via_id) = (r.type, r.id);

CREATE VIEW syncs AS
SELECT c.name AS connection, s.id, s.status, s.started, s.finished, s.event, s.resumed, s.pages, s.requests,
    s.seconds, s.reason, s.rejected, s.added, s.removed, s.changed
FROM sync_runs s JOIN connections c ON c.id = s.connection;

CREATE VIEW changes AS
SELECT c.name AS connection, CASE e.kind WHEN 'sync' THEN e.id END AS sync,
    CASE e.kind WHEN 'operation' THEN e.id END AS operation, e.at, l.kind,
    l.resource_id AS user_id, l.login AS user, l.what, l.before, l.after
FROM change_log l JOIN connections c ON c.id = l.connection JOIN events e ON e.id = l.event;
"""


@migrations()
def m001_first(db: Database) -> None:
    """Everything a sync needs."""
    for statement in (_TABLES + _VIEWS).split(";\n"):
        if statement.strip():
            db.execute(statement)
