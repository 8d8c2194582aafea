"""No tests: state files as earlier migrations left them, with a past and with a sync that was interrupted.

The rows are those that the connector of `yesterday` and `today` left when these were the newest migrations. They are
never brought up to date: that is what the migrations are for.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from connector_core.names import normalized
from connector_core.store.database import APPLICATION_ID
from connector_core.store.schema import STEPS, migrations

LATER = 1_800_000_000.0 + 900  # five minutes after that sync was interrupted

FIRST = """
INSERT INTO connections VALUES (1, 'script', 'script', '44136fa355b3678a', 1, 'process 7 on there');
INSERT INTO events VALUES (1, 1, 'sync', '2027-01-15T08:00:00.000Z'), (2, 1, 'sync', NULL);
INSERT INTO entitlements VALUES (1, 1, 'role', 'editor', 'assigned', 'Editor', 'role', 0, 0);
INSERT INTO entitlements VALUES (2, 1, 'role', 'viewer', 'assigned', 'Viewer', 'role', 0, 0);
INSERT INTO resource_types VALUES (1, 'group', 'Group', 0, 0), (1, 'role', 'Role', 0, 1), (1, 'user', 'User', 1, 0);
INSERT INTO resources VALUES (1, 'role', 'editor', 'Editor', NULL, NULL, 'enabled', NULL, '{}', 1, NULL);
INSERT INTO resources VALUES (1, 'role', 'viewer', 'Viewer', NULL, NULL, 'enabled', NULL, '{}', 1, NULL);
INSERT INTO resources SELECT 1, 'user', value, NULL, value || '@example.com', NULL, 'enabled', NULL, '{}', 1, NULL
    FROM json_each('["ada", "bo", "cy", "di", "ed", "flo"]');
INSERT INTO grants SELECT 1, 'user', value, 1, 1, NULL, 1, 'users', 1
    FROM json_each('["ada", "bo", "cy", "di", "ed", "flo"]');
INSERT INTO sync_runs VALUES (1, 1, 'complete', 'confirming', '2027-01-15T08:00:00.000Z', '2027-01-15T08:00:00.000Z',
    '2027-01-15T08:00:00.000Z', 1, '0', 'ca52e809cdde8bde', '44136fa355b3678a', 0, 0, 2, 0, 0.0, NULL, NULL,
    0, 0, 0, 0);
INSERT INTO sync_runs VALUES (2, 1, 'interrupted', 'reading', '2027-01-15T08:10:00.000Z', '2027-01-15T08:10:00.000Z',
    '2027-01-15T08:10:00.000Z', NULL, '0', 'ca52e809cdde8bde', '44136fa355b3678a', 0, 0, 1, 0, 0.0, 'stop', NULL,
    0, 0, 0, 0);
INSERT INTO frontier VALUES (4, 2, 'page', '', 1, 'null', NULL, 1, 'done', 0, 1, NULL, 2, 2, NULL, NULL, NULL, 0, 0);
INSERT INTO frontier VALUES (5, 2, 'page', 'users', 1, '0', NULL, 1, 'done', 0, 2, 7, 2, 2, NULL, NULL, NULL, 0, 0);
INSERT INTO frontier VALUES (6, 2, 'page', 'users', 1, '1', NULL, 0, 'open', 0, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, 0, 0);
INSERT INTO staged (seq, sync, type, id, state, stream, readings, whole, asked, unknown, held, regrant, changed)
VALUES (1, 2, 'role', 'editor', 'row', '', 1, 0, 0, 0, '[]', 0, 0),
    (2, 2, 'role', 'viewer', 'row', '', 1, 0, 0, 0, '[]', 0, 0),
    (3, 2, 'user', 'ada', 'row', 'users', 1, 0, 0, 0, '[1]', 0, 0),
    (4, 2, 'user', 'cy', 'row', 'users', 1, 0, 0, 0, '[2]', 1, 0);
INSERT INTO staged_entitlements VALUES (2, 1, 'Editor', 'role', 0, 0), (2, 2, 'Viewer', 'role', 0, 0);
INSERT INTO logs VALUES (1, 1, 1, '2027-01-15T08:00:00.000Z', 'info', 'complete', '{}');
INSERT INTO logs VALUES (2, 1, 2, '2027-01-15T08:10:00.000Z', 'info', 'stop', '{}');
"""
JOURNAL = """
INSERT INTO events VALUES (3, 1, 'operation', '2027-01-15T08:05:00.000Z');
INSERT INTO journal (id, connection, kind, state, outcome, type, account, login, resource_type, role, entitlement,
    who, reason, created, sent, finished, event, verified, holder)
VALUES (3, 1, 'grant', 'done', 'changed', 'user', 'flo', 'flo@example.com', 'role', 'editor', 'assigned',
    'it@example.com', 'TICKET-1', '2027-01-15T08:05:00.000Z', '2027-01-15T08:05:00.000Z', '2027-01-15T08:05:00.000Z',
    3, 1, '0123456789abcdef');
INSERT INTO change_log VALUES (1, 1, 3, 'added', 'user', 'flo', 'flo@example.com', 'grant', NULL,
    'role:editor:assigned');
"""
WATCHING = """
UPDATE connections SET next_run = '2027-01-15T09:00:00.000Z';
INSERT INTO logs VALUES (3, 1, NULL, '2027-01-15T08:05:00.000Z', 'info', 'granted', '{}', 3);
"""
_ROWS = (FIRST, JOURNAL, WATCHING)  # what each migration made room for


def names() -> list[str]:
    """Every migration, in order."""
    return [step.__name__ for step in STEPS]


def make(path: Path, newest: int) -> None:
    """A state file as the program made it when that was the number of migrations."""
    every = names()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA journal_mode = WAL")
        db.create_function("name_key", 1, lambda name: name and normalized(name))
        for number, migration in enumerate(every[:newest]):
            migrations().apply(Database(db, execute_plugins=False), stop_before=every[number + 1 : number + 2])
            assert migration.startswith(f"m{number + 1:03}")
            db.executescript(_ROWS[number] if number < len(_ROWS) else "")
        db.execute(f"PRAGMA user_version = {newest}")
