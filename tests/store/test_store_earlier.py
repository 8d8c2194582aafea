"""Stores that earlier versions wrote: what they hold stays, what was under way goes on (`tests/earlier`)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from earlier.make import MOMENTS, SECOND, THIRD
from kit.sync import Script, assert_sound, first, opened, rows

from connector_core.model import Page
from connector_core.store.database import APPLICATION_ID
from connector_core.store.schema import NEWEST
from connector_core.testing import FakeClock

EARLIER = Path(__file__).parents[1] / "earlier"


@pytest.fixture(params=sorted(path.stem for path in EARLIER.glob("*.sql")))
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A store as that version wrote it, with its picture, its history, and a sync that was killed."""
    path = tmp_path / "s.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((EARLIER / f"{request.param}.sql").read_text("utf-8"))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {int(request.param[1:])}")
        connection.execute("PRAGMA journal_mode = WAL")
    return path


def script(last: Page) -> Script:
    return Script({None: first("users"), ("users", 0): THIRD, ("users", 1): last})


def roles(db: Path, at: str | None = None) -> dict[str, str | None]:
    return {str(row.name): row.role for row in script(Page()).connect(db).access(at=at)}


def test_every_earlier_migration_is_among_them() -> None:
    """A new migration keeps a store of the version before it; m001 never ended a version."""
    assert [path.stem for path in sorted(EARLIER.glob("*.sql"))] == [f"m{n:03d}" for n in range(2, NEWEST)]


def test_the_picture_and_its_history_stay(db: Path) -> None:
    """Who held what, now and then, and what changed in between, is as it was before the file was brought up to date."""
    assert roles(db) == {"Ada": "editor", "Bo": "viewer", "Cyrus": "editor", "Di": "viewer"}
    assert roles(db, at="1") == {"Ada": "viewer", "Bo": "viewer", "Cy": "editor"}
    changes = [(c.user, c.what, c.before, c.after) for c in script(Page()).connect(db).changes()]
    assert sorted(changes, key=repr) == sorted(
        [
            ("ada@example.com", "grant", "role:viewer:assigned", "role:editor:assigned"),
            ("cy@example.com", "name", "Cy", "Cyrus"),
            ("di@example.com", "account", None, "di@example.com"),
            ("di@example.com", "grant", None, "role:viewer:assigned"),
        ],
        key=repr,
    )
    assert_sound(db)


def test_a_sync_that_was_killed_goes_on(db: Path) -> None:
    """The pages that the earlier version committed are not asked for again, and count."""
    plugin = script(SECOND[1])
    report = plugin.connect(db, clock=FakeClock(MOMENTS[2] + 60)).sync()
    assert (report.sync.resumed, report.sync.status, report.changes.total) == (True, "complete", 1)
    assert plugin.asked == [("users", 1)]
    assert roles(db) == {"Ada": "editor", "Bo": "editor", "Cyrus": "editor", "Di": "viewer"}
    assert_sound(db)


def test_later_syncs_compare_with_what_it_wrote(db: Path) -> None:
    """What is as the earlier version wrote it is no change; what is not, is one; who left is gone."""
    for last, changes in ((SECOND[1], 1), (SECOND[1], 0), (Page(), 2 * 2)):
        report = script(last).connect(db, clock=FakeClock(MOMENTS[2] + 86_400)).sync()
        assert (report.sync.status, report.changes.total) == ("complete", changes)
        assert_sound(db)
    with opened(db) as connection:
        left = connection.execute("SELECT id, number, held FROM current_resources WHERE type = 'user'")
        assert [tuple(row) for row in left] == [("ada", 3, "users[1]"), ("bo", 4, "users[1]")]
    assert rows(script(Page()).connect(db))
