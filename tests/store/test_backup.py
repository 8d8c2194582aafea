"""Copying the state while it is in use."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from kit.cli import PROGRAM, Home, slowed, uncovered, workspace


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a picture of the sandbox."""
    home = Home(tmp_path)
    assert home("run", "whimsical", "--sandbox").code == 0
    return home


def test_a_backup_answers_as_the_state_did(home: Home) -> None:
    """One private file, whole, which can be looked into like the state; later syncs do not reach it."""
    before = home("access", "whimsical-sandbox", "--json").document
    done = home("backup", "copy.db", "--json")
    copy = home.folder / "copy.db"
    assert (done.code, done.document["bytes"]) == (0, copy.stat().st_size)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert home("sandbox", "whimsical", "--shuffle").code == 0
    assert home("run", "whimsical", "--sandbox").code == 0
    assert home("--db", "copy.db", "access", "whimsical-sandbox", "--json").document == before
    assert sorted(p.name for p in home.folder.glob("*copy.db*") if not p.name.endswith(("-wal", "-shm"))) == ["copy.db"]


def test_a_backup_in_the_middle_of_a_sync_is_whole(home: Home) -> None:
    """Others go on writing; the copy is of one moment and passes SQLite's own checks."""
    with workspace(60, page_cap=5, around=slowed(lambda environ: 0.05)) as there:
        home.connect(there.url)
        copies = 0
        with home.start("run", "whimsical") as run:
            while run.poll() is None:
                assert home("backup", f"copy{copies}.db").code == 0
                copies += 1
        assert run.returncode == 0
    assert copies
    for number in range(copies):
        with closing(sqlite3.connect(home.folder / f"copy{number}.db")) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_what_is_there_is_not_overwritten_unasked(home: Home) -> None:
    """Another file, the state itself, a folder that is not there, a device: exit 2, and nothing changes."""
    other = home.folder / "other"
    other.write_text("mine")
    os.mkfifo(home.folder / "pipe")
    for target in ("other", "state.db", "nowhere/copy.db", ".", "pipe"):
        assert home("backup", target).code == 2
    for target in ("state.db", ".", "pipe"):
        assert home("backup", target, "--force").code == 2
    assert (home.folder / "pipe").is_fifo()
    assert other.read_text() == "mine"
    assert home("backup", "other", "--force").code == 0
    assert other.read_bytes().startswith(b"SQLite format 3")


def test_without_a_state_there_is_nothing_to_copy(tmp_path: Path) -> None:
    """Said, with exit 6; no file is made."""
    done = Home(tmp_path)("backup", "copy.db")
    assert (done.code, "no state" in done.err) == (6, True)
    assert not (tmp_path / "copy.db").exists()


def test_a_copy_that_finds_no_room_leaves_the_earlier_one(home: Home) -> None:
    """A file size limit in the way of the copy: exit 3, and the file that was there stays."""
    assert home("backup", "copy.db").code == 0
    before = (home.folder / "copy.db").read_bytes()
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 16; exec "$@"', "sh", *PROGRAM, "backup", "copy.db", "--force"],
        env=uncovered(home.environ),  # who measures finds no room, either, and says so with a traceback
        cwd=home.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3, done
    assert "Traceback" not in done.stderr
    assert (home.folder / "copy.db").read_bytes() == before
    assert not list(home.folder.glob(".copy.db*"))


def test_each_connection_with_a_file_of_its_own_is_copied_by_name(tmp_path: Path) -> None:
    """``{connection}`` in the state's path wants to be told which."""
    home = Home(tmp_path)
    home.environ["CONNECTOR_CORE_DB"] = str(tmp_path / "{connection}.db")
    assert home("run", "whimsical", "--sandbox").code == 0
    assert home("backup", "copy.db").code == 2
    assert home("backup", "copy.db", "--connection", "whimsical-sandbox").code == 0
