"""The state file's tables, as numbered migrations; its public views are in `views`.

``current_resources`` and ``grants`` hold the picture; ``resource_history`` and ``grant_history`` what came before, with
the events between which it stood. What a running sync has read is in the ``staged`` tables until it is published, so
that no reader ever sees half a sync; they only grow at their end while it runs, which keeps each page's commit small.
Events are numbered in one sequence for syncs and operations of all connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

STEPS: list[Callable[[Database], None]] = []
"""Every migration, in order; its name is kept in the file once it is done."""


def migrations() -> Migrations:
    """Return all steps as sqlite-utils carries them out; imported here only: an up-to-date file opens without it."""
    from sqlite_utils import Migrations

    all_of_them = Migrations("connector_core")
    for step in STEPS:
        all_of_them()(step)
    return all_of_them


def _step(migration: Callable[[Database], None]) -> Callable[[Database], None]:
    STEPS.append(migration)
    return migration


_RESOURCE = """
    connection INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    name TEXT, login TEXT, email TEXT, status TEXT NOT NULL, parent TEXT, profile TEXT NOT NULL,
    began INTEGER NOT NULL, -- the event in which this version began
    since INTEGER           -- the event in which the first version began; NULL where this is the first
"""
_GRANT = """
    connection INTEGER NOT NULL, principal_type TEXT NOT NULL, principal_id TEXT NOT NULL,
    entitlement INTEGER NOT NULL REFERENCES entitlements(id), began INTEGER NOT NULL, since INTEGER,
    confirmed INTEGER NOT NULL DEFAULT 1"""

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
    UNIQUE (connection, type, resource_id, slug)
) STRICT;

-- the picture, and what came before it
CREATE TABLE resources ({_RESOURCE}, PRIMARY KEY (connection, type, id)) STRICT, WITHOUT ROWID;
CREATE TABLE resource_history ({_RESOURCE}, ended INTEGER NOT NULL) STRICT;
CREATE INDEX resource_history_key ON resource_history (connection, type, id, began);
CREATE TABLE grants ({_GRANT},
    source TEXT NOT NULL,   -- the stream that gave it; '*' where no stream did
    beside INTEGER NOT NULL DEFAULT 0,  -- given by the page that listed its principal
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

CREATE INDEX touched_mark ON touched (connection, mark);

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
    kind TEXT NOT NULL,     -- 'page'; 'lookup' reads one resource by its key, which is its position
    stream TEXT NOT NULL, reading INTEGER NOT NULL, position TEXT NOT NULL, idx INTEGER,
    root INTEGER NOT NULL,  -- handed out by another stream: where this one begins
    state TEXT NOT NULL DEFAULT 'open',     -- 'done'; 'dropped': behind the end; 'failed': could not be looked up
    restarts INTEGER NOT NULL DEFAULT 0,    -- of a root: how often its stream was restarted
    answered INTEGER,       -- counts up in the order in which pages came
    total INTEGER, rows INTEGER, fresh INTEGER, start INTEGER, first TEXT, last TEXT,
    cut INTEGER NOT NULL DEFAULT 0,         -- the server says there is more, but it was not followed
    unreadable INTEGER NOT NULL DEFAULT 0,  -- rejected rows without an id
    UNIQUE (sync, kind, stream, reading, position)
) STRICT;
CREATE INDEX frontier_open ON frontier (sync, id) WHERE state = 'open';
CREATE TABLE staged (       -- what was read, in the order of reading; the key's index is `temp.seen`
    seq INTEGER PRIMARY KEY, sync INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    state TEXT NOT NULL,    -- 'row': read; 'rejected': unreadable; 'gone': proven gone; 'yielded': see touched
    stream TEXT NOT NULL,   -- that listed it first; '*' where it was only read by its id
    readings INTEGER NOT NULL,  -- a bit for each reading of the stream that listed it
    whole INTEGER NOT NULL, -- read by its id: all its grants are in `held`
    asked INTEGER NOT NULL, -- the newest of `touched` when it was asked for
    unknown INTEGER NOT NULL,   -- what it holds could not be read (1), or copies contradict each other (2)
    held TEXT NOT NULL,     -- numbers of the entitlements given with it
    regrant INTEGER NOT NULL,   -- whether `held` or its standing differs from the picture
    changed INTEGER NOT NULL,   -- whether the fields differ from the picture; they are left out where not
    name TEXT, login TEXT, email TEXT, status TEXT, parent TEXT, profile TEXT
) STRICT;
CREATE TABLE staged_grants (    -- given by pages that do not list their principal
    sync INTEGER NOT NULL, principal_type TEXT NOT NULL, principal_id TEXT NOT NULL,
    entitlement INTEGER NOT NULL, stream TEXT NOT NULL, reading INTEGER NOT NULL    -- its bit, as above
) STRICT;
CREATE TABLE staged_entitlements (
    sync INTEGER NOT NULL, entitlement INTEGER NOT NULL, name TEXT NOT NULL, exclusive TEXT, paid INTEGER NOT NULL,
    expands INTEGER NOT NULL, PRIMARY KEY (sync, entitlement)
) STRICT, WITHOUT ROWID;
CREATE TABLE also_listed (  -- by another stream than `staged.stream`
    sync INTEGER NOT NULL, stream TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, readings INTEGER NOT NULL,
    PRIMARY KEY (sync, stream, type, id)
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


@_step
def m001_first(db: Database) -> None:
    """Everything a sync needs."""
    _run(db, _TABLES)


_JOURNAL = """
CREATE TABLE applies (      -- plans carried out
    id INTEGER PRIMARY KEY REFERENCES events(id), connection INTEGER NOT NULL REFERENCES connections(id),
    digest TEXT NOT NULL, plan TEXT NOT NULL, status TEXT NOT NULL, who TEXT NOT NULL, reason TEXT,
    started TEXT NOT NULL, finished TEXT
) STRICT;
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
) STRICT;
CREATE INDEX journal_open ON journal (connection) WHERE state IN ('pending', 'sent', 'unknown');
CREATE INDEX journal_connection ON journal (connection, id);
CREATE INDEX journal_account ON journal (connection, account);
CREATE INDEX journal_event ON journal (event);
CREATE INDEX sync_runs_event ON sync_runs (event);
"""


@_step
def m002_journal(db: Database) -> None:
    """The journal of operations, and plans carried out."""
    _run(db, _JOURNAL)


_WATCHING = """
-- when its schedule begins the next run
ALTER TABLE connections ADD COLUMN next_run TEXT;
-- the oldest event whose picture can still be shown
ALTER TABLE connections ADD COLUMN pruned INTEGER;
ALTER TABLE logs ADD COLUMN operation INTEGER;
CREATE INDEX logs_operation ON logs (connection, operation) WHERE operation IS NOT NULL;
"""


@_step
def m003_watching(db: Database) -> None:
    """Logs of operations, who changed what and why, runs that are scheduled, how far back the history goes."""
    _run(db, _WATCHING)


_NUMBERS = """
-- the highest number that a resource of it was ever given
ALTER TABLE connections ADD COLUMN numbered INTEGER NOT NULL DEFAULT 0;
-- short for its key within its connection; by it a sync notes a row that it read as it is here
ALTER TABLE resources ADD COLUMN number INTEGER;
-- what one stream gave with it: its name and the numbers of entitlements; NULL where `grants` has to be looked into
ALTER TABLE resources ADD COLUMN held TEXT;
UPDATE resources SET number = n.number FROM (
    SELECT connection, type, id, row_number() OVER (PARTITION BY connection ORDER BY type, id) AS number FROM resources
) n WHERE (resources.connection, resources.type, resources.id) = (n.connection, n.type, n.id);
UPDATE resources SET held = (
    SELECT min(g.source) || json_group_array(g.entitlement) FROM grants g
    WHERE g.connection = resources.connection AND g.principal_type = resources.type AND g.principal_id = resources.id
    AND g.beside HAVING min(g.source) = max(g.source) AND min(g.confirmed));
CREATE TRIGGER grants_begun AFTER INSERT ON grants WHEN new.beside BEGIN
    UPDATE resources SET held = NULL WHERE held IS NOT NULL AND connection = new.connection
    AND type = new.principal_type AND id = new.principal_id; END;
CREATE TRIGGER grants_altered AFTER UPDATE ON grants BEGIN
    UPDATE resources SET held = NULL WHERE held IS NOT NULL AND connection = new.connection
    AND type = new.principal_type AND id = new.principal_id; END;
CREATE TRIGGER grants_ended AFTER DELETE ON grants WHEN old.beside BEGIN
    UPDATE resources SET held = NULL WHERE held IS NOT NULL AND connection = old.connection
    AND type = old.principal_type AND id = old.principal_id; END;
UPDATE connections SET numbered = (SELECT count(*) FROM resources r WHERE r.connection = connections.id);
-- its number in the picture, if it has one; then it is in no page of `staged_same`
ALTER TABLE staged ADD COLUMN number INTEGER;
CREATE TABLE staged_same (  -- pages' rows that are as in the picture, by their numbers; indexed by `temp.same`
    seq INTEGER PRIMARY KEY, sync INTEGER NOT NULL, stream TEXT NOT NULL,
    reading INTEGER NOT NULL,   -- its bit
    asked INTEGER NOT NULL, numbers TEXT NOT NULL
) STRICT
"""


@_step
def m004_numbers(db: Database) -> None:
    """Numbers for resources, so that a page of rows that are as they were is staged in one row."""
    _run(db, _NUMBERS)


_UNUSUAL = """
-- what is seldom among what is staged, to be found without looking at all of it
CREATE INDEX staged_unusual ON staged (sync, state) WHERE state <> 'row'
"""


@_step
def m005_reach(db: Database) -> None:
    """An index of what is seldom; and the view of access in steps that do not grow with the square of the accounts."""
    _run(db, _UNUSUAL)


_AUDIT = """
-- which rule of this host forbade it; only where the state is 'refused' or 'failed'
ALTER TABLE journal ADD COLUMN guard TEXT;
-- of the kind 'setup': what was set, and its values; a secret has none
ALTER TABLE journal ADD COLUMN setting TEXT;
ALTER TABLE journal ADD COLUMN value_before TEXT;
ALTER TABLE journal ADD COLUMN value_after TEXT
"""


@_step
def m006_audit(db: Database) -> None:
    """In the journal: what was refused, by which guard, and changes of set-up."""
    _run(db, _AUDIT)


_IDENTITY = """
-- which connection it is: random, made at set-up; the name is a label, which may go to another connection
ALTER TABLE connections ADD COLUMN identity TEXT;
-- whether a configuration file holds that identity; else it is kept here alone, and found by the name
ALTER TABLE connections ADD COLUMN configured INTEGER NOT NULL DEFAULT 0;
-- when it was removed from the configuration; its history stays
ALTER TABLE connections ADD COLUMN removed TEXT;
UPDATE connections SET identity = lower(hex(randomblob(16)));
CREATE UNIQUE INDEX connections_identity ON connections (identity)
"""


@_step
def m007_identity(db: Database) -> None:
    """An identity for each connection, on which everything that belongs to it hangs."""
    _run(db, _IDENTITY)


_WHOLE = """
-- whether a read of one gives all grants that it holds
ALTER TABLE resource_types ADD COLUMN gives_all INTEGER NOT NULL DEFAULT 0;
-- rows of the page that could not be read
ALTER TABLE frontier ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;
-- a warning came in place of rows
ALTER TABLE frontier ADD COLUMN warned INTEGER NOT NULL DEFAULT 0;
-- the stream could not read it, the one that listed it could
ALTER TABLE also_listed ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;
CREATE TABLE staged_unknown (   -- what is held by a resource, or of an entitlement, could not be read
    sync INTEGER NOT NULL, stream TEXT NOT NULL, reading INTEGER NOT NULL,
    type TEXT NOT NULL, id TEXT NOT NULL,   -- both empty where an entitlement is named
    entitlement INTEGER NOT NULL,           -- 0 where a resource is named
    PRIMARY KEY (sync, type, id, entitlement, stream, reading)
) STRICT, WITHOUT ROWID
"""


@_step
def m008_whole(db: Database) -> None:
    """What proves that a grant has ended, and what does not."""
    _run(db, _WHOLE)


_WITNESSED = """
CREATE TABLE witnessed (    -- moments at which this state was in use
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,       -- what the clock said, in seconds since 1970
    seconds REAL NOT NULL,  -- how many were witnessed until then: a jump of the clock counts little
    log INTEGER NOT NULL    -- the newest line of `logs`
) STRICT;
-- how many seconds were witnessed when it was written; NULL where that was before anything was counted
ALTER TABLE journal ADD COLUMN witnessed REAL
"""


@_step
def m009_witnessed(db: Database) -> None:
    """Time as it was witnessed, for what ends after so many days."""
    _run(db, _WITNESSED)


_NAMES = """
-- the form under which names are compared (`connector_core.names`); that of an e-mail where it differs from the login's
ALTER TABLE resources ADD COLUMN login_key TEXT;
ALTER TABLE resources ADD COLUMN email_key TEXT;
ALTER TABLE resource_history ADD COLUMN login_key TEXT;
ALTER TABLE resource_history ADD COLUMN email_key TEXT;
ALTER TABLE journal ADD COLUMN login_key TEXT;
UPDATE resources SET login_key = name_key(login), email_key = nullif(name_key(email), name_key(login));
UPDATE resource_history SET login_key = name_key(login), email_key = nullif(name_key(email), name_key(login));
UPDATE journal SET login_key = name_key(login);
CREATE INDEX resources_login ON resources (connection, login_key);
CREATE INDEX resources_email ON resources (connection, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX resource_history_login ON resource_history (connection, login_key);
CREATE INDEX resource_history_email ON resource_history (connection, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX journal_login ON journal (connection, login_key)
"""


@_step
def m010_names(db: Database) -> None:
    """The names of accounts in the form under which they are compared, to be found by an index."""
    _run(db, _NAMES)


_LOSSES = """
CREATE TABLE losses (   -- what syncs took from the picture lately and was not accepted, as the guard counts it
    connection INTEGER NOT NULL, kind TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    entitlement INTEGER NOT NULL,   -- 0 where none is meant
    at TEXT NOT NULL, PRIMARY KEY (connection, kind, type, id, entitlement)
) STRICT, WITHOUT ROWID;
-- how many accounts, enabled accounts and grants there were before it, by name
ALTER TABLE sync_runs ADD COLUMN there TEXT;
ALTER TABLE held_removals RENAME TO held_before;
CREATE TABLE held_removals (    -- what the last held sync named; `connector_core.store.losses` says what each kind is
    connection INTEGER NOT NULL, kind TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL,
    entitlement INTEGER NOT NULL,   -- 0 where none is meant
    login TEXT NOT NULL,            -- that an account bears now, where it was renamed
    PRIMARY KEY (connection, kind, type, id, entitlement)
) STRICT, WITHOUT ROWID;
INSERT INTO held_removals
SELECT connection, iif(entitlement, 'ended', 'unseen'), type, id, entitlement, '' FROM held_before;
DROP TABLE held_before
"""


@_step
def m011_losses(db: Database) -> None:
    """What a sync took from the picture, and what one was held for, by kind."""
    _run(db, _LOSSES)


_PROTECTED = """
CREATE TABLE protected_accounts (   -- that an entry of the setting `protected` named once, whatever they are called now
    connection INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, entry TEXT NOT NULL,
    PRIMARY KEY (connection, type, id, entry)
) STRICT, WITHOUT ROWID
"""


@_step
def m012_protected(db: Database) -> None:
    """Accounts that stay protected under another login."""
    _run(db, _PROTECTED)


_VALUES = """
ALTER TABLE resources ADD COLUMN account_type TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE resources ADD COLUMN manager TEXT;
ALTER TABLE resources ADD COLUMN mfa INTEGER;
ALTER TABLE resource_history ADD COLUMN account_type TEXT NOT NULL DEFAULT 'unknown';
ALTER TABLE resource_history ADD COLUMN manager TEXT;
ALTER TABLE resource_history ADD COLUMN mfa INTEGER;
ALTER TABLE staged ADD COLUMN account_type TEXT DEFAULT 'unknown';
ALTER TABLE staged ADD COLUMN manager TEXT;
ALTER TABLE staged ADD COLUMN mfa INTEGER;
ALTER TABLE entitlements ADD COLUMN description TEXT;
ALTER TABLE entitlements ADD COLUMN privileged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE staged_entitlements ADD COLUMN description TEXT;
ALTER TABLE staged_entitlements ADD COLUMN privileged INTEGER NOT NULL DEFAULT 0;
CREATE TABLE activity (     -- what changes without meaning for access: the current value alone, never a change
    connection INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, last_login TEXT, created_at TEXT,
    PRIMARY KEY (connection, type, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE staged_activity (  -- only what differs from `activity`
    sync INTEGER NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, last_login TEXT, created_at TEXT,
    PRIMARY KEY (sync, type, id)
) STRICT, WITHOUT ROWID
"""


@_step
def m013_values(db: Database) -> None:
    """What accounts and entitlements say of themselves; what is activity apart from their versions."""
    _run(db, _VALUES)


_SOURCES = """
CREATE TABLE grant_sources (    -- streams that gave a grant, too, in addition to the one in `grants.source`
    connection INTEGER NOT NULL, principal_type TEXT NOT NULL, principal_id TEXT NOT NULL,
    entitlement INTEGER NOT NULL, stream TEXT NOT NULL,
    PRIMARY KEY (connection, principal_type, principal_id, entitlement, stream)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER grant_sources_ended AFTER DELETE ON grants BEGIN
    DELETE FROM grant_sources WHERE connection = old.connection AND principal_type = old.principal_type
    AND principal_id = old.principal_id AND entitlement = old.entitlement; END
"""


@_step
def m014_sources(db: Database) -> None:
    """Every stream that gave a grant."""
    _run(db, _SOURCES)


_PUBLIC_NAMES = """
ALTER TABLE resources RENAME TO current_resources;
ALTER TABLE entitlements RENAME TO known_entitlements
"""


@_step
def m015_public_names(db: Database) -> None:
    """The names ``resources`` and ``entitlements`` are those of public views."""
    _run(db, _PUBLIC_NAMES)


_PLAIN_COLUMNS = """
ALTER TABLE touched RENAME COLUMN mark TO operation_watermark;
ALTER TABLE sync_runs RENAME COLUMN mark TO operation_watermark;
ALTER TABLE grants RENAME COLUMN beside TO inline;
ALTER TABLE staged RENAME COLUMN whole TO read_by_id;
ALTER TABLE staged RENAME COLUMN regrant TO grants_differ;
ALTER TABLE frontier RENAME COLUMN fresh TO new_rows;
DROP INDEX touched_mark;
CREATE INDEX touched_watermark ON touched (connection, operation_watermark)
"""


@_step
def m016_plain_columns(db: Database) -> None:
    """Columns called by what they hold."""
    _run(db, _PLAIN_COLUMNS)


_ASKED_FOR = """
ALTER TABLE known_entitlements ADD COLUMN on_revoke TEXT NOT NULL DEFAULT 'nothing';
ALTER TABLE staged_entitlements ADD COLUMN on_revoke TEXT NOT NULL DEFAULT 'nothing';
-- that a renamed account had before; '' where it is of no account that was renamed
ALTER TABLE losses ADD COLUMN login TEXT NOT NULL DEFAULT ''
"""


@_step
def m017_asked_for(db: Database) -> None:
    """What the guard compares with: what an operation asked for, and the login that may come back."""
    _run(db, _ASKED_FOR)


@_step
def m018_addresses(db: Database) -> None:
    """Where each operation was sent, as a digest of the address settings; NULL where that was not kept."""
    db.execute("ALTER TABLE journal ADD COLUMN address TEXT")


def _run(db: Database, statements: str) -> None:
    for statement in statements.split(";\n"):
        if statement.strip():
            db.execute(statement)


NEWEST = len(STEPS)  # kept in PRAGMA user_version
