"""State files of earlier versions: brought up to date whole, whoever dies meanwhile, and gone on with."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kit.crash import Disk, Victims, any_doom, assert_whole, on
from kit.old_states import LATER, make, names
from kit.sync import assert_sound, dump, opened, picture, rows
from test_dying_disk import AFTER, BEFORE, today, yesterday

from connector_core.errors import StateError
from connector_core.store.database import open_reader, open_writer
from connector_core.store.schema import NEWEST
from connector_core.testing import FakeClock

EACH = pytest.mark.parametrize("made_at", range(1, NEWEST))


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    with Victims() as victims:
        yield victims


def test_every_migration_is_known_here() -> None:
    """A new migration shows up in these tests by itself."""
    assert len(names()) == NEWEST


@EACH
@pytest.mark.parametrize("open", [open_writer, open_reader])
def test_an_earlier_state_is_brought_up_to_date(memory: Path, made_at: int, open: object) -> None:
    """By who writes and by who only looks; what it held is what it shows, and its tables are those of a new file."""
    old, new = memory / "old.db", memory / "new.db"
    make(old, made_at)
    opener = open_writer if open is open_writer else open_reader
    opened_now = opener(old)
    assert opened_now is not None
    opened_now.close()
    assert_sound(old)
    assert picture(yesterday().connect(old)) == BEFORE
    assert [r.since for r in rows(yesterday().connect(old))] == ["2027-01-15T08:00:00.000Z"] * 6
    open_writer(new).close()
    assert shape(old) == shape(new)


def shape(db: Path) -> list[tuple[str, ...]]:
    """Tables, indices and views with their columns; the order of columns does not matter."""
    with closing(sqlite3.connect(db)) as connection:
        found = connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        columns = [sorted(map(repr, connection.execute(f"PRAGMA table_xinfo({name})"))) for _, name in sorted(found)]
    return [("version", str(version)), *sorted(found), *(tuple(c) for c in columns)]


@EACH
@pytest.mark.parametrize("minutes", [5, 600])
def test_an_earlier_state_is_gone_on_with(memory: Path, made_at: int, minutes: int) -> None:
    """The sync that an earlier version left is resumed or begun anew; either way the picture is the truth after it."""
    db = memory / "s.db"
    make(db, made_at)
    clock = FakeClock(LATER + 60 * (minutes - 5))
    report = today().connect(db, clock=clock).sync()
    assert report.sync.status == "complete"
    assert picture(today().connect(db)) == AFTER
    changes = {(c.user, c.what, c.kind) for c in today().connect(db).changes(since="1") if c.sync is not None}
    assert changes == {
        ("bo@example.com", "account", "removed"), ("bo@example.com", "grant", "removed"),
        ("cy@example.com", "grant", "changed"), ("di@example.com", "name", "changed"),
        ("gus@example.com", "account", "added"), ("gus@example.com", "grant", "added"),
    }  # fmt: skip
    assert_sound(db)


@EACH
def test_journal_and_log_come_along(memory: Path, made_at: int) -> None:
    """What was done and why, and what happened, is told as before."""
    db = memory / "s.db"
    make(db, made_at)
    connection = yesterday().connect(db)
    assert [line.message for line in connection.logs(1)] == ["complete"]
    assert [s.status for s in connection.syncs()] == ["interrupted", "complete"]
    done = [(o.kind, o.user, o.state, o.requested_by, o.reason) for o in connection.operations()]
    grant = ("grant", "flo@example.com", "done", "it@example.com", "TICKET-1")
    assert done == ([grant] if made_at > 1 else [])
    assert len(dump(db, "changes")[0]) == len(done)


@EACH
@pytest.mark.parametrize("chunk", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 5))])
def test_a_migration_killed_anywhere_is_done_by_the_next(
    victims: Victims, memory: Path, made_at: int, chunk: int
) -> None:
    """Between two statements or within a write: the file is whole, and the next to open it finishes the work."""
    old = memory / "old.db"
    make(old, made_at)
    shutil.copy(old, memory / "undisturbed.db")
    undisturbed = victims.run("open", db=memory / "undisturbed.db")["said"]
    deaths = 0
    for seed in range(chunk * 8, (chunk + 1) * 8):
        db = memory / f"{seed}.db"
        shutil.copy(old, db)
        ended = victims.run("open", any_doom(random.Random(seed), undisturbed), db=db)
        deaths += ended["died"]
        assert_whole(db)
        assert picture(yesterday().connect(db)) == BEFORE, (seed, ended)
        assert shape(db) == shape(memory / "undisturbed.db")
    assert deaths >= 3


@EACH
def test_a_migration_whose_disk_dies_leaves_the_file_as_it_was(memory: Path, made_at: int) -> None:
    """Each write may be the last: a clear error, and the next opening brings it up to date."""
    old = memory / "old.db"
    make(old, made_at)
    number = 0
    while True:
        number += 1
        db = memory / f"{number}.db"
        shutil.copy(old, db)
        with on(Disk(number)) as disk:
            try:
                open_writer(db).close()
            except StateError as error:
                assert str(db) in error.message and error.hint
            else:
                break
        assert_whole(db)
        assert picture(yesterday().connect(db)) == BEFORE
    assert disk.writes >= 3 and number > 3


def test_a_newer_state_is_refused_by_every_command(memory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit 3, in words, and the file is not touched: neither by who writes nor by who only looks."""
    from connector_core.cli.program import run

    db = memory / "s.db"
    yesterday().connect(db).sync()
    with opened(db) as connection:
        connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
    before = db.read_bytes()
    commands = (
        ["run", "whimsical-sandbox"], ["access", "whimsical"], ["operations", "whimsical"], ["connections"],
        ["backup", str(memory / "copy.db")], ["grant", "whimsical-sandbox", "editor", "ada@example.com"],
    )  # fmt: skip
    for command in commands:
        assert run(["--db", str(db), *command]) == 3, command
        assert "newer version of connector-core" in capfd.readouterr().err
    assert db.read_bytes() == before
    assert sorted(p.name for p in memory.glob("copy*")) == []
