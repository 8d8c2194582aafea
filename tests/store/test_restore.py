"""A backup put back, and one copied by hand over the state."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from wsgiref.types import WSGIEnvironment

import pytest
from kit.cli import Home, slowed, workspace


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a backup of the first picture, and a second picture since."""
    home = Home(tmp_path)
    for command in (["run", "whimsical", "--sandbox"], ["backup", "b.db"], ["sandbox", "whimsical", "--shuffle"]):
        assert home(*command).code == 0
    assert home("run", "whimsical", "--sandbox").code == 0
    return home


def access(home: Home, *options: str) -> object:
    return home(*options, "access", "whimsical-sandbox", "--json").document["access"]


def test_a_backup_is_put_back(home: Home) -> None:
    """The picture is that of the backup, syncs go on, and the earlier state is kept and can be looked into."""
    wanted, latest = access(home, "--db", "b.db"), access(home)
    done = home("restore", "b.db", "--yes", "--json")
    assert done.code == 0, done.err
    kept = Path(done.document["kept"])
    assert access(home) == wanted
    assert access(home, "--db", str(kept)) == latest
    assert stat.S_IMODE(home.db.stat().st_mode) == 0o600
    assert home("run", "whimsical", "--sandbox").code == 0
    with closing(sqlite3.connect(home.db)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_restore_asks_first(home: Home) -> None:
    """Without a terminal it needs --yes; nothing is changed."""
    before = home.db.read_bytes()
    done = home("restore", "b.db")
    assert (done.code, home.db.read_bytes()) == (8, before)


@pytest.mark.parametrize("content", [b"", b"no database at all, in whatever form" * 100])
def test_what_is_no_backup_is_not_put_back(home: Home, content: bytes) -> None:
    """In words, exit 3, and the state stays."""
    (home.folder / "odd").write_bytes(content)
    before = home.db.read_bytes()
    done = home("restore", "odd", "--yes")
    assert (done.code, home.db.read_bytes()) == (3, before), done.err
    assert "Traceback" not in done.err


def test_a_damaged_backup_is_not_put_back(home: Home) -> None:
    """It is looked over before anything is replaced."""
    backup = home.folder / "b.db"
    content = bytearray(backup.read_bytes())
    content[8192:60000] = b"\x55" * (60000 - 8192)
    backup.write_bytes(content)
    before = home.db.read_bytes()
    done = home("restore", "b.db", "--yes")
    assert (done.code, home.db.read_bytes()) == (3, before), done.err


def test_the_state_itself_is_no_backup(home: Home) -> None:
    """Named directly, or by a link."""
    (home.folder / "link.db").symlink_to(home.db)
    for name in ("state.db", "link.db"):
        assert home("restore", name, "--yes").code == 2


@pytest.mark.parametrize("name", ["state.db", "state[1].db"])
def test_nothing_is_put_back_while_a_sync_runs(tmp_path: Path, name: str) -> None:
    """Exit 7, whatever the state is called; the sync ends as it would have."""
    home = Home(tmp_path)
    home.environ["CONNECTOR_CORE_DB"] = str(tmp_path / name)
    asked, answered = threading.Event(), threading.Event()

    def hold(environ: WSGIEnvironment) -> float:
        asked.set()
        answered.wait(60.0)
        return 0.0

    with workspace(3, around=slowed(hold)) as there:
        home.connect(there.url)
        answered.set()
        assert home("run", "whimsical").code == 0
        assert home("backup", "b.db").code == 0
        asked.clear()
        answered.clear()
        with home.start("run", "whimsical") as run:
            assert asked.wait(60.0)
            done = home("restore", "b.db", "--yes")
            answered.set()
            run.communicate(timeout=60)
        assert (done.code, run.returncode) == (7, 0), done.err


def test_a_backup_copied_by_hand_beside_a_log_is_the_backup(home: Home) -> None:
    """The log of the earlier file is set aside, and not written into the copy."""
    wanted = access(home, "--db", "b.db")
    program = (
        "import os, sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('PRAGMA wal_autocheckpoint = 0')\n"
        "db.execute(\"UPDATE current_resources SET name = name || '!'\")\n"
        "os._exit(0)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(home.db)], check=False).returncode == 0
    log = home.folder / "state.db-wal"
    assert log.stat().st_size > 0
    shutil.copy(home.folder / "b.db", home.db)
    assert access(home) == wanted
    with closing(sqlite3.connect(home.db)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert (home.folder / "state.db-wal.of-an-earlier-file").stat().st_size > 0
