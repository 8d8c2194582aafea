"""The state file: private, recognised, brought up to date, and never left half-written."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kit.processes import running
from kit.sync import Script, assert_sound, dump, first, opened, users

from connector_core.errors import NoPicture, StateError
from connector_core.model import AccessRow, Cursor
from connector_core.store import database
from connector_core.store.database import open_reader, open_writer, transaction
from connector_core.store.schema import NEWEST

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")


def synced(db: Path, *names: str) -> Script:
    script = Script({None: first("users"), ("users", 0): users(*names)})
    script.connect(db).sync()
    return script


# -- private --------------------------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_every_file_of_the_state_is_its_owners_alone(tmp_path: Path, umask: int) -> None:
    """The database, its -wal and -shm, its locks: mode 0600, and a new folder 0700, whatever the umask."""
    old = os.umask(umask)
    try:
        script = Script({None: first("users")})
        db = tmp_path / "new" / "state.db"
        modes: dict[str, int] = {}

        def during(cursor: object) -> Any:
            modes.update({p.name: stat.S_IMODE(p.stat().st_mode) for p in db.parent.iterdir()})
            return users("ada")

        script.pages["users", 0] = during
        script.connect(db).sync()
    finally:
        os.umask(old)
    lock = f"state.db.{script.connect(db).identity}.lock"
    assert {"state.db", "state.db-wal", "state.db-shm", lock} <= set(modes)
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(db.parent.stat().st_mode) == 0o700


def test_a_reader_makes_no_file(tmp_path: Path) -> None:
    """Asking before anything was synced says so, and leaves nothing behind."""
    with pytest.raises(NoPicture):
        Script({}).connect(tmp_path / "none" / "s.db").access()
    assert list(tmp_path.iterdir()) == []


def test_a_locked_state_says_what_holds_it(tmp_path: Path) -> None:
    """The cure is not free space: another program has not ended its transaction."""
    db = tmp_path / "s.db"
    synced(db, "ada")
    with (
        closing(sqlite3.connect(db, isolation_level=None)) as other,
        closing(sqlite3.connect(db, timeout=0, isolation_level=None)) as mine,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="locked") as caught, database.explained(db):
            mine.execute("BEGIN IMMEDIATE")
    assert caught.value.hint == (
        "another program has it open and writes to it, or has not ended its transaction: close it, and try again"
    )


# -- recognised -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("open", [open_writer, open_reader])
def test_a_newer_version_is_refused_in_words(tmp_path: Path, open: Any) -> None:
    """A file that a newer program wrote is left alone, and the message says what to do."""
    db = tmp_path / "s.db"
    synced(db, "ada")
    with opened(db) as connection:
        connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
    before = db.read_bytes()
    with pytest.raises(StateError, match="newer version of connector-core") as caught:
        open(db)
    assert "upgrade" in str(caught.value.hint) and db.read_bytes() == before


@pytest.mark.parametrize("open", [open_writer, open_reader])
def test_a_foreign_database_is_refused(tmp_path: Path, open: Any) -> None:
    """Somebody else's SQLite file gets none of our tables."""
    db = tmp_path / "s.db"
    with opened(db) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = db.read_bytes()
    with pytest.raises(StateError, match="not a state file"):
        open(db)
    assert db.read_bytes() == before


@pytest.mark.parametrize("open", [open_writer, open_reader])
def test_what_is_no_database_is_refused(tmp_path: Path, open: Any) -> None:
    """A text file is not overwritten."""
    db = tmp_path / "s.db"
    db.write_text("my shopping list\n" * 100)
    with pytest.raises(StateError, match=re.escape(str(db))):
        open(db)
    assert db.read_text().startswith("my shopping list")


@pytest.mark.parametrize("content", [b"", b"\0" * 10])
def test_an_empty_file_is_begun(tmp_path: Path, content: bytes) -> None:
    """An empty file, as `mktemp` makes it, becomes the state; ten bytes of nothing do not."""
    db = tmp_path / "s.db"
    db.write_bytes(content)
    if content:
        with pytest.raises(StateError):
            synced(db, "ada")
    else:
        synced(db, "ada")
        assert_sound(db)


@pytest.mark.parametrize("path", ["/dev/null/state.db", "/proc/none/state.db"])
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux")
def test_a_place_that_cannot_be_written_is_said(path: str) -> None:
    """A folder that takes no files: an error that names the file and what to look at."""
    with pytest.raises(StateError, match=path) as caught:
        synced(Path(path), "ada")
    assert caught.value.hint


@POSIX
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_said(tmp_path: Path) -> None:
    """The same where permissions forbid it."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StateError):
            synced(tmp_path / "s.db", "ada")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_in_place_of_the_file_is_said(tmp_path: Path) -> None:
    """The path names a folder."""
    with pytest.raises(StateError):
        synced(tmp_path, "ada")


# -- brought up to date ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", range(1, 60, 4))
def test_a_migration_that_dies_half_way_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """Whichever statement the first opening dies at, the next one makes the file whole."""
    db = tmp_path / "s.db"
    left = [stop]

    class Dies(sqlite3.Connection):
        def execute(self, *arguments: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
            return super().execute(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Dies))
        with pytest.raises(KeyboardInterrupt):
            for _ in range(100):
                open_writer(db).close()
                db.unlink()
    synced(db, "ada")
    assert_sound(db)
    with opened(db) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == NEWEST


def test_many_processes_make_the_same_file_at_once(tmp_path: Path) -> None:
    """Whoever comes first makes it, the others find it made; a reader among them sees nothing or all of it."""
    db = tmp_path / "s.db"
    program = (
        "import sys; from pathlib import Path; from connector_core.store.database import *\n"
        "db = Path(sys.argv[1]); sys.stdin.readline()\n"
        "for _ in range(5):\n"
        "    (open_writer(db)).close(); r = open_reader(db); r.execute('SELECT * FROM access').fetchall(); r.close()\n"
    )
    command = [sys.executable, "-c", program, str(db)]
    with ExitStack() as stack:
        started = (running(command, stdin=subprocess.PIPE, text=True) for _ in range(4))
        processes = [stack.enter_context(process) for process in started]
        for process in processes:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.close()
        assert [process.wait(60) for process in processes] == [0] * 4
    assert_sound(db)


def test_many_threads_make_the_same_file_at_once(tmp_path: Path) -> None:
    """The same within one process."""
    db = tmp_path / "s.db"
    barrier, wrong = threading.Barrier(6), []

    def make() -> None:
        barrier.wait(10)
        try:
            open_writer(db).close()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert_sound(db)


# -- never half-written ---------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_the_old_picture(tmp_path: Path) -> None:
    """A sync that finds no more room says so, and the picture stays as it was; with room, the sync goes on."""
    db = tmp_path / "s.db"
    synced(db, *[f"u{n}" for n in range(10)])
    before = dump(db, "access", "changes")
    program = (
        "import resource, sys; sys.path[:0] = sys.argv[1].split(':')\n"
        "from kit.sync import *; from connector_core.errors import StateError; from test_store_file import many\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))\n"
        "try: many().connect(Path(sys.argv[2])).sync()\n"
        "except StateError as error: print(error, error.hint); sys.exit(7)\n"
    )
    here = ":".join([str(Path(__file__).parents[1]), str(Path(__file__).parent)])
    ended = subprocess.run([sys.executable, "-c", program, here, str(db)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 7, ended.stderr
    assert str(db) in ended.stdout and "free space" in ended.stdout
    assert dump(db, "access", "changes") == before
    assert_sound(db)
    report = many().connect(db).sync()
    assert (report.sync.status, report.sync.resumed, report.counts.user) == ("complete", True, 3000)
    assert_sound(db)


def many() -> Script:
    """3,000 people on 30 pages."""
    pages = {}
    for n in range(30):
        names = [f"u{n * 100 + m}" for m in range(100)]
        pages["users", n] = users(*names, next=() if n == 29 else (Cursor("users", n + 1),))
    return Script({None: first("users"), **pages})


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    """Garbage in the middle of the file is an error that names it, not a traceback of SQLite's."""
    db = tmp_path / "s.db"
    script = synced(db, *[f"u{n}" for n in range(500)])
    content = bytearray(db.read_bytes())
    content[4096 * 3 :] = os.urandom(len(content) - 4096 * 3)
    db.write_bytes(content)
    for suffix in ("-wal", "-shm"):
        db.with_name(db.name + suffix).unlink(missing_ok=True)
    with pytest.raises(StateError, match=re.escape(str(db))):
        script.connect(db).access()


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    """What raises within one leaves nothing of it."""
    db = open_writer(tmp_path / "s.db")
    with pytest.raises(ZeroDivisionError), transaction(db):
        db.execute("INSERT INTO connections (name, connector) VALUES ('a', 'b')")
        raise ZeroDivisionError
    assert db.execute("SELECT count(*) FROM connections").fetchone()[0] == 0
    db.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    """Answers are read only, by SQLite's own word."""
    db = tmp_path / "s.db"
    synced(db, "ada")
    reader = open_reader(db)
    assert reader is not None
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("DELETE FROM current_resources")
    reader.close()


def test_what_goes_wrong_in_the_caller_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    """An error of a callback, such as a broken pipe, stays what it is."""
    script = Script({None: first("users"), ("users", 0): users("ada")})

    def on_progress(progress: object) -> None:
        raise BrokenPipeError("nobody reads")

    with pytest.raises(BrokenPipeError):
        script.connect(tmp_path / "s.db").sync(on_progress=on_progress)
    assert script.connect(tmp_path / "s.db").sync().sync.resumed


def test_any_sqlite_tool_can_read_the_views(tmp_path: Path) -> None:
    """The public views need no extension, no function and no temporary table of ours."""
    db = tmp_path / "s.db"
    synced(db, "ada")
    for view in ("access", "accounts", "changes", "syncs", "operations", "resources", "entitlements"):
        assert isinstance(dump(db, view)[0], list)
    with opened(db) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(access)")]
        assert columns == list(AccessRow.__annotations__)
