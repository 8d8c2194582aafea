BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'connector_core','m001_first','2026-11-26 17:36:59.693628+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'connector_core','m002_journal','2026-11-26 17:36:59.705024+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'connector_core','m003_watching','2026-11-26 17:36:59.709442+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'connector_core','m004_numbers','2026-11-26 17:36:59.719726+00:00');
INSERT INTO "_sqlite_migrations" VALUES(5,'connector_core','m005_reach','2026-11-26 17:36:59.730288+00:00');
INSERT INTO "_sqlite_migrations" VALUES(6,'connector_core','m006_audit','2026-11-26 17:36:59.734741+00:00');
INSERT INTO "_sqlite_migrations" VALUES(7,'connector_core','m007_identity','2026-11-26 17:36:59.741534+00:00');
INSERT INTO "_sqlite_migrations" VALUES(8,'connector_core','m008_whole','2026-11-26 17:36:59.749909+00:00');
INSERT INTO "_sqlite_migrations" VALUES(9,'connector_core','m009_witnessed','2026-11-26 17:36:59.757057+00:00');
INSERT INTO "_sqlite_migrations" VALUES(10,'connector_core','m010_names','2026-11-26 17:36:59.762148+00:00');
INSERT INTO "_sqlite_migrations" VALUES(11,'connector_core','m011_losses','2026-11-26 17:36:59.774793+00:00');
INSERT INTO "_sqlite_migrations" VALUES(12,'connector_core','m012_protected','2026-11-26 17:36:59.780373+00:00');
INSERT INTO "_sqlite_migrations" VALUES(13,'connector_core','m013_values','2026-11-26 17:36:59.792415+00:00');
INSERT INTO "_sqlite_migrations" VALUES(14,'connector_core','m014_sources','2026-11-26 17:36:59.804809+00:00');
INSERT INTO "_sqlite_migrations" VALUES(15,'connector_core','m015_public_names','2026-11-26 17:36:59.815218+00:00');
INSERT INTO "_sqlite_migrations" VALUES(16,'connector_core','m016_plain_columns','2026-11-26 17:36:59.860187+00:00');
CREATE TABLE activity (     -- what changes without meaning for access: the current value alone, never a change
    connection INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, last_login TEXT, created_at TEXT,
    PRIMARY KEY (connection, type, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE also_listed (  -- by another stream than `staged.stream`
    sync INTEGER NOT NULL, stream TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, readings INTEGER NOT NULL, rejected INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (sync, stream, type, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE applies (      -- plans carried out
    id INTEGER PRIMARY KEY REFERENCES events(id), connection INTEGER NOT NULL REFERENCES connections(id),
    digest TEXT NOT NULL, plan TEXT NOT NULL, status TEXT NOT NULL, who TEXT NOT NULL, reason TEXT,
    started TEXT NOT NULL, finished TEXT
) STRICT;
CREATE TABLE change_log (
    id INTEGER PRIMARY KEY, connection INTEGER NOT NULL REFERENCES connections(id),
    event INTEGER NOT NULL REFERENCES events(id), kind TEXT NOT NULL,
    type TEXT NOT NULL, resource_id TEXT NOT NULL, login TEXT, what TEXT NOT NULL, before TEXT, after TEXT
) STRICT;
INSERT INTO "change_log" VALUES(1,1,2,'added','user','di','di@example.com','account',NULL,'di@example.com');
INSERT INTO "change_log" VALUES(2,1,2,'changed','user','cy','cy@example.com','name','Cy','Cyrus');
INSERT INTO "change_log" VALUES(3,1,2,'changed','user','ada','ada@example.com','grant','role:viewer:assigned','role:editor:assigned');
INSERT INTO "change_log" VALUES(4,1,2,'added','user','di','di@example.com','grant',NULL,'role:viewer:assigned');
CREATE TABLE connections (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, connector TEXT NOT NULL,
    address TEXT,           -- digest of the address settings of the last published sync
    baseline INTEGER,       -- the first published event; what it brought is no change
    holder TEXT             -- who took the lock last
, next_run TEXT, pruned INTEGER, numbered INTEGER NOT NULL DEFAULT 0, identity TEXT, configured INTEGER NOT NULL DEFAULT 0, removed TEXT) STRICT;
INSERT INTO "connections" VALUES(1,'script','script','44136fa355b3678a',1,'process 17763 on vm since 2023-11-15T00:13:20.000Z',NULL,NULL,10,'f6fdea6c7d3e7d2d82ec1304c2cab0bf',0,NULL);
CREATE TABLE "current_resources" (
    connection INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    name TEXT, login TEXT, email TEXT, status TEXT NOT NULL, parent TEXT, profile TEXT NOT NULL,
    began INTEGER NOT NULL, -- the event in which this version began
    since INTEGER           -- the event in which the first version began; NULL where this is the first
, number INTEGER, held TEXT, login_key TEXT, email_key TEXT, account_type TEXT NOT NULL DEFAULT 'unknown', manager TEXT, mfa INTEGER, PRIMARY KEY (connection, type, id)) STRICT, WITHOUT ROWID;
INSERT INTO "current_resources" VALUES(1,'role','editor','Editor',NULL,NULL,'enabled',NULL,'{}',1,NULL,1,'[]',NULL,NULL,'unknown',NULL,NULL);
INSERT INTO "current_resources" VALUES(1,'role','viewer','Viewer',NULL,NULL,'enabled',NULL,'{}',1,NULL,2,'[]',NULL,NULL,'unknown',NULL,NULL);
INSERT INTO "current_resources" VALUES(1,'user','ada','Ada','ada@example.com',NULL,'enabled',NULL,'{}',1,NULL,3,'users[1]','ada@example.com',NULL,'unknown',NULL,NULL);
INSERT INTO "current_resources" VALUES(1,'user','bo','Bo','bo@example.com',NULL,'enabled',NULL,'{}',1,NULL,4,'users[2]','bo@example.com',NULL,'unknown',NULL,NULL);
INSERT INTO "current_resources" VALUES(1,'user','cy','Cyrus','cy@example.com',NULL,'enabled',NULL,'{}',2,1,5,'users[1]','cy@example.com',NULL,'unknown',NULL,NULL);
INSERT INTO "current_resources" VALUES(1,'user','di','Di','di@example.com',NULL,'enabled',NULL,'{}',2,NULL,8,'users[2]','di@example.com',NULL,'unknown',NULL,NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, connection INTEGER NOT NULL REFERENCES connections(id),
    kind TEXT NOT NULL CHECK (kind IN ('sync', 'operation')),
    at TEXT                 -- when it entered the picture; NULL while it has not
) STRICT;
INSERT INTO "events" VALUES(1,1,'sync','2023-11-14T22:13:20.000Z');
INSERT INTO "events" VALUES(2,1,'sync','2023-11-14T23:13:20.000Z');
INSERT INTO "events" VALUES(3,1,'sync',NULL);
CREATE TABLE frontier (     -- cursors: the open ones are to be asked for, by the done ones a stream is judged
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice: a late page must not meet another's row
    sync INTEGER NOT NULL REFERENCES sync_runs(id),
    kind TEXT NOT NULL,     -- 'page'; 'lookup' reads one resource by its key, which is its position
    stream TEXT NOT NULL, reading INTEGER NOT NULL, position TEXT NOT NULL, idx INTEGER,
    root INTEGER NOT NULL,  -- handed out by another stream: where this one begins
    state TEXT NOT NULL DEFAULT 'open',     -- 'done'; 'dropped': behind the end; 'failed': could not be looked up
    restarts INTEGER NOT NULL DEFAULT 0,    -- of a root: how often its stream was restarted
    answered INTEGER,       -- counts up in the order in which pages came
    total INTEGER, rows INTEGER, new_rows INTEGER, start INTEGER, first TEXT, last TEXT,
    cut INTEGER NOT NULL DEFAULT 0,         -- the server says there is more, but it was not followed
    unreadable INTEGER NOT NULL DEFAULT 0, rejected INTEGER NOT NULL DEFAULT 0, warned INTEGER NOT NULL DEFAULT 0,  -- rejected rows without an id
    UNIQUE (sync, kind, stream, reading, position)
) STRICT;
INSERT INTO "frontier" VALUES(7,3,'page','',1,'null',NULL,1,'done',0,1,NULL,2,2,NULL,NULL,NULL,0,0,0,0);
INSERT INTO "frontier" VALUES(8,3,'page','users',1,'0',NULL,1,'done',0,2,NULL,2,2,NULL,NULL,NULL,0,0,0,0);
INSERT INTO "frontier" VALUES(9,3,'page','users',1,'1',NULL,0,'open',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,0,0,0);
CREATE TABLE grant_history (
    connection INTEGER NOT NULL, principal_type TEXT NOT NULL, principal_id TEXT NOT NULL,
    entitlement INTEGER NOT NULL REFERENCES "known_entitlements"(id), began INTEGER NOT NULL, since INTEGER,
    confirmed INTEGER NOT NULL DEFAULT 1, ended INTEGER NOT NULL) STRICT;
INSERT INTO "grant_history" VALUES(1,'user','ada',2,1,NULL,1,2);
CREATE TABLE grant_sources (    -- streams that gave a grant, too, in addition to the one in `grants.source`
    connection INTEGER NOT NULL, principal_type TEXT NOT NULL, principal_id TEXT NOT NULL,
    entitlement INTEGER NOT NULL, stream TEXT NOT NULL,
    PRIMARY KEY (connection, principal_type, principal_id, entitlement, stream)
) STRICT, WITHOUT ROWID;
CREATE TABLE grants (
    connection INTEGER NOT NULL, principal_type TEXT NOT NULL, principal_id TEXT NOT NULL,
    entitlement INTEGER NOT NULL REFERENCES "known_entitlements"(id), began INTEGER NOT NULL, since INTEGER,
    confirmed INTEGER NOT NULL DEFAULT 1,
    source TEXT NOT NULL,   -- the stream that gave it; '*' where no stream did
    inline INTEGER NOT NULL DEFAULT 0,  -- given by the page that listed its principal
    PRIMARY KEY (connection, principal_type, principal_id, entitlement)) STRICT, WITHOUT ROWID;
INSERT INTO "grants" VALUES(1,'user','ada',1,2,NULL,1,'users',1);
INSERT INTO "grants" VALUES(1,'user','bo',2,1,NULL,1,'users',1);
INSERT INTO "grants" VALUES(1,'user','cy',1,1,NULL,1,'users',1);
INSERT INTO "grants" VALUES(1,'user','di',2,2,NULL,1,'users',1);
CREATE TABLE held_removals (    -- what the last held sync named; `connector_core.store.losses` says what each kind is
    connection INTEGER NOT NULL, kind TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    entitlement INTEGER NOT NULL,   -- 0 where none is meant
    login TEXT NOT NULL,            -- that an account bears now, where it was renamed
    PRIMARY KEY (connection, kind, type, id, entitlement)
) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
    id INTEGER PRIMARY KEY REFERENCES events(id), connection INTEGER NOT NULL REFERENCES connections(id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL,    -- 'pending', 'sent', then 'done', 'failed' or 'unknown'
    outcome TEXT,           -- 'changed' or 'unchanged', once done
    type TEXT NOT NULL, account TEXT, login TEXT, resource_type TEXT, role TEXT, entitlement TEXT,
    wanted TEXT, before TEXT,
    who TEXT NOT NULL, reason TEXT, created TEXT NOT NULL, sent TEXT, finished TEXT, request TEXT,
    event INTEGER REFERENCES events(id), verified INTEGER NOT NULL DEFAULT 0, replaced TEXT,
    reactivated INTEGER NOT NULL DEFAULT 0, warnings TEXT NOT NULL DEFAULT '[]', error TEXT,
    part_of INTEGER REFERENCES journal(id), apply INTEGER REFERENCES applies(id),
    holder TEXT NOT NULL    -- the lock file of who carries it out, to see whether they still live
, guard TEXT, setting TEXT, value_before TEXT, value_after TEXT, witnessed REAL, login_key TEXT) STRICT;
CREATE TABLE "known_entitlements" (
    id INTEGER PRIMARY KEY, connection INTEGER NOT NULL REFERENCES connections(id),
    type TEXT NOT NULL, resource_id TEXT NOT NULL, slug TEXT NOT NULL, name TEXT NOT NULL, exclusive TEXT,
    paid INTEGER NOT NULL DEFAULT 0, expands INTEGER NOT NULL DEFAULT 0, description TEXT, privileged INTEGER NOT NULL DEFAULT 0,
    UNIQUE (connection, type, resource_id, slug)
) STRICT;
INSERT INTO "known_entitlements" VALUES(1,1,'role','editor','assigned','Editor','role',0,0,NULL,0);
INSERT INTO "known_entitlements" VALUES(2,1,'role','viewer','assigned','Viewer','role',0,0,NULL,0);
CREATE TABLE logs (
    id INTEGER PRIMARY KEY, connection INTEGER NOT NULL REFERENCES connections(id), sync INTEGER,
    at TEXT NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL, data TEXT NOT NULL
, operation INTEGER) STRICT;
INSERT INTO "logs" VALUES(1,1,1,'2023-11-14T22:13:20.000Z','info','script 0, up to 1 requests at once','{}',NULL);
INSERT INTO "logs" VALUES(2,1,1,'2023-11-14T22:13:20.000Z','info','read 5 resources','{}',NULL);
INSERT INTO "logs" VALUES(3,1,1,'2023-11-14T22:13:20.000Z','info','complete','{}',NULL);
INSERT INTO "logs" VALUES(4,1,1,'2023-11-14T22:13:20.000Z','info','published: 0 added, 0 removed, 0 changed','{}',NULL);
INSERT INTO "logs" VALUES(5,1,2,'2023-11-14T23:13:20.000Z','info','script 0, up to 1 requests at once','{}',NULL);
INSERT INTO "logs" VALUES(6,1,2,'2023-11-14T23:13:20.000Z','info','read 6 resources','{}',NULL);
INSERT INTO "logs" VALUES(7,1,2,'2023-11-14T23:13:20.000Z','info','complete','{}',NULL);
INSERT INTO "logs" VALUES(8,1,2,'2023-11-14T23:13:20.000Z','info','published: 2 added, 0 removed, 2 changed','{}',NULL);
INSERT INTO "logs" VALUES(9,1,3,'2023-11-15T00:13:20.000Z','info','script 0, up to 1 requests at once','{}',NULL);
CREATE TABLE losses (   -- what syncs took from the picture lately and was not accepted, as the guard counts it
    connection INTEGER NOT NULL, kind TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    entitlement INTEGER NOT NULL,   -- 0 where none is meant
    at TEXT NOT NULL, PRIMARY KEY (connection, kind, type, id, entitlement)
) STRICT, WITHOUT ROWID;
INSERT INTO "losses" VALUES(1,'ended','user','ada',2,'2023-11-14T23:13:20.000Z');
CREATE TABLE protected_accounts (   -- that an entry of the setting `protected` named once, whatever they are called now
    connection INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, entry TEXT NOT NULL,
    PRIMARY KEY (connection, type, id, entry)
) STRICT, WITHOUT ROWID
;
CREATE TABLE resource_history (
    connection INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    name TEXT, login TEXT, email TEXT, status TEXT NOT NULL, parent TEXT, profile TEXT NOT NULL,
    began INTEGER NOT NULL, -- the event in which this version began
    since INTEGER           -- the event in which the first version began; NULL where this is the first
, ended INTEGER NOT NULL, login_key TEXT, email_key TEXT, account_type TEXT NOT NULL DEFAULT 'unknown', manager TEXT, mfa INTEGER) STRICT;
INSERT INTO "resource_history" VALUES(1,'user','cy','Cy','cy@example.com',NULL,'enabled',NULL,'{}',1,NULL,2,'cy@example.com',NULL,'unknown',NULL,NULL);
CREATE TABLE resource_types (
    connection INTEGER NOT NULL REFERENCES connections(id), type TEXT NOT NULL, display_name TEXT NOT NULL,
    account INTEGER NOT NULL, role INTEGER NOT NULL, gives_all INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (connection, type)
) STRICT, WITHOUT ROWID;
INSERT INTO "resource_types" VALUES(1,'group','Group',0,0,0);
INSERT INTO "resource_types" VALUES(1,'role','Role',0,1,0);
INSERT INTO "resource_types" VALUES(1,'user','User',1,0,0);
CREATE TABLE staged (       -- what was read, in the order of reading; the key's index is `temp.seen`
    seq INTEGER PRIMARY KEY, sync INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    state TEXT NOT NULL,    -- 'row': read; 'rejected': unreadable; 'gone': proven gone; 'yielded': see touched
    stream TEXT NOT NULL,   -- that listed it first; '*' where it was only read by its id
    readings INTEGER NOT NULL,  -- a bit for each reading of the stream that listed it
    read_by_id INTEGER NOT NULL, -- read by its id: all its grants are in `held`
    asked INTEGER NOT NULL, -- the newest of `touched` when it was asked for
    unknown INTEGER NOT NULL,   -- what it holds could not be read
    held TEXT NOT NULL,     -- numbers of the entitlements given with it
    grants_differ INTEGER NOT NULL,   -- whether `held` or its standing differs from the picture
    changed INTEGER NOT NULL,   -- whether the fields differ from the picture; they are left out where not
    name TEXT, login TEXT, email TEXT, status TEXT, parent TEXT, profile TEXT
, number INTEGER, account_type TEXT DEFAULT 'unknown', manager TEXT, mfa INTEGER) STRICT;
INSERT INTO "staged" VALUES(1,3,'user','bo','row','users',1,0,0,0,'[1]',1,0,NULL,NULL,NULL,NULL,NULL,NULL,4,NULL,NULL,NULL);
CREATE TABLE staged_activity (  -- only what differs from `activity`
    sync INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, last_login TEXT, created_at TEXT,
    PRIMARY KEY (sync, type, id)
) STRICT, WITHOUT ROWID
;
CREATE TABLE staged_entitlements (
    sync INTEGER NOT NULL, entitlement INTEGER NOT NULL, name TEXT NOT NULL, exclusive TEXT, paid INTEGER NOT NULL,
    expands INTEGER NOT NULL, description TEXT, privileged INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (sync, entitlement)
) STRICT, WITHOUT ROWID;
INSERT INTO "staged_entitlements" VALUES(3,1,'Editor','role',0,0,NULL,0);
INSERT INTO "staged_entitlements" VALUES(3,2,'Viewer','role',0,0,NULL,0);
CREATE TABLE staged_grants (    -- given by pages that do not list their principal
    sync INTEGER NOT NULL, principal_type TEXT NOT NULL, principal_id TEXT NOT NULL,
    entitlement INTEGER NOT NULL, stream TEXT NOT NULL, reading INTEGER NOT NULL    -- its bit, as above
) STRICT;
CREATE TABLE staged_same (  -- pages' rows that are as in the picture, by their numbers; indexed by `temp.same`
    seq INTEGER PRIMARY KEY, sync INTEGER NOT NULL, stream TEXT NOT NULL,
    reading INTEGER NOT NULL,   -- its bit
    asked INTEGER NOT NULL, numbers TEXT NOT NULL
) STRICT
;
INSERT INTO "staged_same" VALUES(1,3,'',1,0,'[1,2]');
INSERT INTO "staged_same" VALUES(2,3,'users',1,0,'[3]');
CREATE TABLE staged_unknown (   -- what is held by a resource, or of an entitlement, could not be read
    sync INTEGER NOT NULL, stream TEXT NOT NULL, reading INTEGER NOT NULL,
    type TEXT NOT NULL, id TEXT NOT NULL,   -- both empty where an entitlement is named
    entitlement INTEGER NOT NULL,           -- 0 where a resource is named
    PRIMARY KEY (sync, type, id, entitlement, stream, reading)
) STRICT, WITHOUT ROWID
;
CREATE TABLE sync_runs (
    id INTEGER PRIMARY KEY REFERENCES events(id), connection INTEGER NOT NULL REFERENCES connections(id),
    status TEXT NOT NULL, phase TEXT NOT NULL, started TEXT NOT NULL, alive TEXT NOT NULL, finished TEXT,
    event INTEGER REFERENCES events(id), version TEXT NOT NULL, reading TEXT NOT NULL, address TEXT NOT NULL,
    operation_watermark INTEGER NOT NULL,  -- the newest of `touched` when it began
    resumed INTEGER NOT NULL DEFAULT 0, pages INTEGER NOT NULL DEFAULT 0, requests INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, reason TEXT, error TEXT, rejected INTEGER NOT NULL DEFAULT 0,
    added INTEGER NOT NULL DEFAULT 0,
    removed INTEGER NOT NULL DEFAULT 0, changed INTEGER NOT NULL DEFAULT 0
, there TEXT) STRICT;
INSERT INTO "sync_runs" VALUES(1,1,'complete','publishing','2023-11-14T22:13:20.000Z','2023-11-14T22:13:20.000Z','2023-11-14T22:13:20.000Z',1,'0','ca52e809cdde8bde','44136fa355b3678a',0,0,2,0,0.0,NULL,NULL,0,0,0,0,'{"accounts": 0, "enabled": 0, "grants": 0}');
INSERT INTO "sync_runs" VALUES(2,1,'complete','publishing','2023-11-14T23:13:20.000Z','2023-11-14T23:13:20.000Z','2023-11-14T23:13:20.000Z',2,'0','ca52e809cdde8bde','44136fa355b3678a',0,0,2,0,0.0,NULL,NULL,0,2,0,2,'{"accounts": 3, "enabled": 3, "grants": 3}');
INSERT INTO "sync_runs" VALUES(3,1,'running','reading','2023-11-15T00:13:20.000Z','2023-11-15T00:13:20.000Z',NULL,NULL,'0','ca52e809cdde8bde','44136fa355b3678a',0,0,1,0,0.0,NULL,NULL,0,0,0,0,NULL);
CREATE TABLE touched (      -- what an operation verified; ``mark`` counts up, and pages asked for earlier yield to it
    connection INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, operation_watermark INTEGER NOT NULL,
    PRIMARY KEY (connection, type, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE witnessed (    -- moments at which this state was in use
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,       -- what the clock said, in seconds since 1970
    seconds REAL NOT NULL,  -- how many were witnessed until then: a jump of the clock counts little
    log INTEGER NOT NULL    -- the newest line of `logs`
) STRICT;
INSERT INTO "witnessed" VALUES(1,1700000000.0,0.0,4);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX events_published ON events (connection, id) WHERE at IS NOT NULL;
CREATE INDEX resource_history_key ON resource_history (connection, type, id, began);
CREATE INDEX grant_history_key ON grant_history (connection, principal_type, principal_id, began);
CREATE INDEX change_log_event ON change_log (connection, event);
CREATE INDEX sync_runs_connection ON sync_runs (connection, id);
CREATE INDEX frontier_open ON frontier (sync, id) WHERE state = 'open';
CREATE INDEX logs_sync ON logs (connection, sync);
CREATE INDEX journal_open ON journal (connection) WHERE state IN ('pending', 'sent', 'unknown');
CREATE INDEX journal_connection ON journal (connection, id);
CREATE INDEX journal_account ON journal (connection, account);
CREATE INDEX journal_event ON journal (event);
CREATE INDEX sync_runs_event ON sync_runs (event);
CREATE INDEX logs_operation ON logs (connection, operation) WHERE operation IS NOT NULL;
CREATE TRIGGER grants_begun AFTER INSERT ON grants WHEN new.inline BEGIN
    UPDATE "current_resources" SET held = NULL WHERE held IS NOT NULL AND connection = new.connection
    AND type = new.principal_type AND id = new.principal_id; END;
CREATE TRIGGER grants_altered AFTER UPDATE ON grants BEGIN
    UPDATE "current_resources" SET held = NULL WHERE held IS NOT NULL AND connection = new.connection
    AND type = new.principal_type AND id = new.principal_id; END;
CREATE TRIGGER grants_ended AFTER DELETE ON grants WHEN old.inline BEGIN
    UPDATE "current_resources" SET held = NULL WHERE held IS NOT NULL AND connection = old.connection
    AND type = old.principal_type AND id = old.principal_id; END;
CREATE INDEX staged_unusual ON staged (sync, state) WHERE state <> 'row'
;
CREATE UNIQUE INDEX connections_identity ON connections (identity)
;
CREATE INDEX resources_login ON "current_resources" (connection, login_key);
CREATE INDEX resources_email ON "current_resources" (connection, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX resource_history_login ON resource_history (connection, login_key);
CREATE INDEX resource_history_email ON resource_history (connection, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX journal_login ON journal (connection, login_key)
;
CREATE TRIGGER grant_sources_ended AFTER DELETE ON grants BEGIN
    DELETE FROM grant_sources WHERE connection = old.connection AND principal_type = old.principal_type
    AND principal_id = old.principal_id AND entitlement = old.entitlement; END;
CREATE INDEX touched_watermark ON touched (connection, operation_watermark)
;
CREATE VIEW access AS
WITH RECURSIVE reach (connection, type, id, via_type, via_id) AS (
    SELECT r.connection, r.type, r.id, r.type, r.id FROM current_resources r
    JOIN resource_types t ON t.connection = r.connection AND t.type = r.type AND t.account
  UNION
    SELECT h.connection, h.type, h.id, n.type, n.resource_id FROM reach h
    CROSS JOIN grants g ON g.connection = h.connection AND g.principal_type = h.via_type
        AND g.principal_id = h.via_id
    JOIN known_entitlements n ON n.id = g.entitlement AND n.expands
)
SELECT c.name AS connection, r.id AS user_id, r.login AS user, r.name, r.email, r.status,
    n.type AS resource_type, n.resource_id AS role, n.slug AS entitlement,
    CASE WHEN (h.via_type, h.via_id) <> (r.type, r.id) THEN h.via_type || ':' || h.via_id END AS via,
    coalesce(g.confirmed, 1) AS confirmed, e.at AS since, o.name AS role_name, n.name AS entitlement_name,
    r.account_type, y.last_login AS last_login, r.mfa, r.manager
FROM reach h
JOIN current_resources r ON r.connection = h.connection AND r.type = h.type AND r.id = h.id
JOIN connections c ON c.id = r.connection
LEFT JOIN activity y ON y.connection = r.connection AND y.type = r.type AND y.id = r.id
LEFT JOIN grants g ON g.connection = h.connection AND g.principal_type = h.via_type AND g.principal_id = h.via_id
LEFT JOIN known_entitlements n ON n.id = g.entitlement
LEFT JOIN current_resources o ON o.connection = n.connection AND o.type = n.type AND o.id = n.resource_id
LEFT JOIN events e ON e.id = coalesce(g.since, g.began, r.since, r.began)
WHERE (n.id IS NOT NULL OR (h.via_type, h.via_id) = (r.type, r.id));
CREATE VIEW accounts AS
SELECT c.name AS connection, r.id AS user_id, r.login AS user, r.name, r.email, r.status, r.profile, e.at AS since,
    r.type AS resource_type, r.account_type, y.last_login, y.created_at, r.mfa, r.manager
FROM current_resources r JOIN connections c ON c.id = r.connection
JOIN resource_types t ON t.connection = r.connection AND t.type = r.type AND t.account
JOIN events e ON e.id = coalesce(r.since, r.began)
LEFT JOIN activity y ON y.connection = r.connection AND y.type = r.type AND y.id = r.id;
CREATE VIEW resources AS
SELECT c.name AS connection, r.type AS resource_type, r.id AS resource_id, r.login, r.name, r.email, r.status,
    r.account_type, r.manager, r.mfa, y.last_login, y.created_at, r.parent, r.profile, e.at AS since
FROM current_resources r JOIN connections c ON c.id = r.connection
JOIN events e ON e.id = coalesce(r.since, r.began)
LEFT JOIN activity y ON y.connection = r.connection AND y.type = r.type AND y.id = r.id;
CREATE VIEW entitlements AS
SELECT c.name AS connection, n.type AS resource_type, n.resource_id AS role, r.name AS role_name,
    n.slug AS entitlement, n.name AS entitlement_name, n.description, n.privileged, n.exclusive, n.paid, n.expands
FROM known_entitlements n JOIN connections c ON c.id = n.connection
LEFT JOIN current_resources r ON r.connection = n.connection AND r.type = n.type AND r.id = n.resource_id
WHERE r.id IS NOT NULL OR EXISTS (SELECT 1 FROM grants g WHERE g.connection = n.connection AND g.entitlement = n.id);
CREATE VIEW changes AS
SELECT c.name AS connection, s.id AS sync, j.id AS operation, e.at, l.kind,
    l.resource_id AS user_id, l.login AS user, l.what, l.before, l.after, j.who AS requested_by, j.reason
FROM change_log l JOIN connections c ON c.id = l.connection JOIN events e ON e.id = l.event
LEFT JOIN sync_runs s ON s.event = e.id LEFT JOIN journal j ON j.event = e.id;
CREATE VIEW operations AS
SELECT c.name AS connection, j.id, j.kind, j.account AS user_id, j.login AS user,
    j.resource_type, j.role, j.entitlement, j.state, j.outcome, j.verified, j.replaced, j.reactivated,
    j.who AS requested_by, j.reason,
    j.created, j.finished, json_extract(j.error, '$.message') AS error, j.part_of, j.apply,
    j.guard, j.setting, j.value_before, j.value_after
FROM journal j JOIN connections c ON c.id = j.connection;
CREATE VIEW syncs AS
SELECT c.name AS connection, s.id, s.status, s.started, s.finished, s.event, s.resumed, s.pages, s.requests,
    s.seconds, s.reason, s.rejected, s.added, s.removed, s.changed
FROM sync_runs s JOIN connections c ON c.id = s.connection;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',3);
INSERT INTO "sqlite_sequence" VALUES('frontier',9);
COMMIT;
