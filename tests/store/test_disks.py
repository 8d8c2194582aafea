"""Disks that are full or may not be written, and clocks that are set back: said clearly, and the old picture stands."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.cli import PROGRAM, Done, Home, workspace
from kit.crash import Doom, Victims, assert_whole, managed
from kit.plan import office
from kit.served import TOKEN
from kit.sync import Script, Site, assert_sound, connect, first, picture, users

from connector_core.errors import Interrupted, StateError
from connector_core.model import Cursor, Page
from connector_core.testing import FakeClock


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    with Victims() as victims:
        yield victims


class Volume:
    """A file system of its own in memory, with so little room."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def mount(self, *options: str) -> None:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(self.folder)],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")

    def again(self, *options: str) -> None:
        subprocess.run(["mount", "-o", ",".join(("remount", *options)), str(self.folder)], check=True)

    def fill(self) -> None:
        """Leave no room at all."""
        with (self.folder / "filling").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Volume]:
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root mounts file systems")
    (tmp_path / "volume").mkdir()
    made = Volume(tmp_path / "volume")
    made.mount("size=8m")
    yield made
    subprocess.run(["umount", str(made.folder)], check=True)


# -- full ------------------------------------------------------------------------------------------------------------


def test_a_disk_that_fills_up_during_a_sync_leaves_the_old_picture(volume: Volume) -> None:
    """Exit 3 with what to do about it; with room again the same sync goes on and ends right."""
    db = volume.folder / "s.db"
    with Site(40) as site:
        connect(db, site, page_size=5).sync()
        before = picture(connect(db, site))
        site.workspace.populate(200)
        site.before = lambda asked: volume.fill() if asked.number == 15 else None
        with pytest.raises(StateError) as caught:
            connect(db, site, page_size=5).sync()
        assert caught.value.exit_code == 3
        assert (str(db) in caught.value.message, "free space" in str(caught.value.hint)) == (True, True)
        assert picture(connect(db, site)) == before
        (volume.folder / "filling").unlink()
        assert_sound(db)
        site.before = lambda asked: None
        report = connect(db, site, page_size=5).sync()
        assert (report.sync.status, report.sync.resumed) == ("complete", True)
        assert picture(connect(db, site)) == site.users()


def test_every_command_says_that_the_disk_is_full(volume: Volume) -> None:
    """Exit 3, nothing half-written, nothing sent; a copy made by `backup` answers; with room again all goes on."""
    home = Home(volume.folder)
    with workspace(30) as there:
        home.connect(there.url, managed="true")
        assert home("run", "whimsical").code == 0
        table = home("access", "whimsical").out
        assert home("backup", "earlier.db").code == 0
        volume.fill()
        codes = {
            ("run", "whimsical"): 3,
            ("grant", "whimsical", "editor", "p001@example.com"): 3,
            ("backup", "copy.db"): 3,
            ("run", "whimsical-sandbox"): 3,
            ("access", "whimsical"): 3,
        }
        for command, code in codes.items():
            done = home(*command)
            assert (done.code, "Traceback" in done.err) == (code, False), (command, done)
            assert "error: " in done.err and "unexpected" not in done.err, (command, done)
        added = added_without_room(home)
        assert (added.code, "unexpected" in added.err) == (3, False), added
        assert home("--db", "earlier.db", "access", "whimsical").out == table
        assert there.workspace.writes() == {}
        names = {path.name for path in home.folder.rglob("*") if path.is_file()}
        assert not {name for name in names if "copy.db" in name or name.endswith((".new", ".toml")) or ".token" in name}
        (volume.folder / "filling").unlink()
        assert home("grant", "whimsical", "editor", "p001@example.com").code == 0
        assert home("run", "whimsical").code == 0


def added_without_room(home: Home) -> Done:
    """`add`, with its secret on standard input."""
    environ = {
        **home.environ, "CONNECTOR_CORE_CONFIG": str(home.folder / "etc" / "c.toml"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
    }  # fmt: skip
    del environ["CONNECTOR_CORE_WHIMSICAL_TOKEN"], environ["CONNECTOR_CORE_WHIMSICAL_MANAGED"]
    done = subprocess.run(
        [*PROGRAM, "add", "whimsical", "--no-check"], env=environ, cwd=home.folder, input="a-token", text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("chunk", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 5))])
def test_a_file_that_may_not_grow_leaves_the_old_picture(victims: Victims, memory: Path, chunk: int) -> None:
    """No room, at any byte of the state: exit 3 with a hint, or done; whole either way, and mended by the next sync."""
    refused = 0
    with Site(30) as site:
        base = memory / "base.db"
        connect(base, site, page_size=5).sync()
        before = picture(connect(base, site))
        site.workspace.shuffle(chunk)
        for seed in range(chunk * 8, (chunk + 1) * 8):
            db = memory / f"{seed}.db"
            shutil.copy(base, db)
            room = random.Random(seed).randint(1, 320_000)
            said = victims.run("sync", Doom(kind="full", at=room), db=db, url=site.url, page_size=5, workers=2)["said"]
            assert said.get("exit_code", 3) == 3, (room, said)
            refused += said.get("exit_code") == 3
            if said.get("exit_code") == 3:
                assert (str(db) in said["message"], bool(said["hint"])) == (True, True)
            assert_whole(db)
            assert picture(connect(db, site)) in (before, site.users())
            assert connect(db, site, page_size=5).sync().sync.status == "complete"
            assert picture(connect(db, site)) == site.users()
    assert refused >= 3


def test_a_backup_without_room_leaves_state_and_earlier_copy(victims: Victims, memory: Path) -> None:
    """Wherever the room ends, or the process dies: the state is whole, and the copy is the old one or the new one."""
    with Site(30) as site:
        db, copy = memory / "s.db", memory / "copy.db"
        connect(db, site).sync()
        assert victims.run("backup", db=db, target=copy)["status"] == 0
        old = picture(connect(copy, site))
        site.workspace.shuffle(1)
        connect(db, site).sync()
        new = site.users()
        ended = set[str]()
        for seed in range(12):
            kind = "full" if seed % 2 else "byte"
            doom = Doom(kind=kind, at=random.Random(seed).randint(1, 300_000))  # type: ignore[arg-type]
            said = victims.run("backup", doom, db=db, target=copy)
            ended.add("died" if said["died"] else said["said"].get("error", "done"))
            assert_whole(db)
            assert picture(connect(db, site)) == new
            assert_whole(copy)
            assert picture(connect(copy, site)) in (old, new)
    assert ended == {"died", "state", "done"}


# -- read-only -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_read_only_disk_is_said(volume: Volume) -> None:
    """Exit 3, and nothing is sent; a copy made by `backup` answers from there, and then all goes on."""
    home = Home(volume.folder)
    with workspace(5) as there:
        home.connect(there.url, managed="true")
        assert home("run", "whimsical").code == 0
        table = home("access", "whimsical").out
        assert home("backup", "copy.db").code == 0
        volume.again("ro")
        for command in (
            ("run", "whimsical"),
            ("grant", "whimsical", "editor", "p001@example.com"),
            ("access", "whimsical"),
        ):
            done = home(*command)
            assert (done.code, "hint: look at its folder's permissions" in done.err) == (3, True), done
        assert there.workspace.writes() == {}
        done = home("--db", "copy.db", "access", "whimsical")
        assert (done.code, done.out) == (0, table), done
        volume.again("rw")
        assert home("run", "whimsical").code == 0


# -- clocks ----------------------------------------------------------------------------------------------------------

DAY = 86_400.0


class Jumping(FakeClock):
    """A clock that somebody sets back or forth."""

    jump = 0.0

    def now(self) -> float:
        return super().now() + self.jump


def two_pages(second: Page | BaseException) -> Script:
    before = users("ada", next=(Cursor("users", 1),), total=2)
    return Script({None: first("users"), ("users", 0): before, ("users", 1): second})


@pytest.mark.parametrize("jump", [-10 * 365 * DAY, -DAY, -0.5, DAY, 10 * 365 * DAY])
def test_a_clock_that_is_set_between_two_syncs(memory: Path, jump: float) -> None:
    """Which sync is the newest is told by its number, never by the time: picture, changes and history are right."""
    clock, db = Jumping(), memory / "s.db"
    two_pages(users("bo")).connect(db, clock=clock).sync()
    clock.jump = jump
    later = two_pages(users("cy"))
    report = later.connect(db, clock=clock).sync()
    assert (report.sync.status, report.changes.added, report.changes.removed) == ("complete", 2, 2)
    connection = later.connect(db, clock=clock)
    assert picture(connection) == {("ada@example.com", "editor"), ("cy@example.com", "editor")}
    assert {c.user for c in connection.changes()} == {"bo@example.com", "cy@example.com"}
    assert {row.user for row in connection.access(at="1")} == {"ada@example.com", "bo@example.com"}
    assert [s.id for s in connection.syncs()] == [2, 1]
    assert_sound(db)


@pytest.mark.parametrize("jump, resumed", [(-1800.0, True), (-DAY, False), (DAY, False)])
def test_a_clock_that_is_set_before_resuming(memory: Path, jump: float, resumed: bool) -> None:
    """A sync from the future is too old to go on with, as one from the past is; it ends right either way."""
    clock, db = Jumping(), memory / "s.db"
    with pytest.raises(Interrupted):
        two_pages(Interrupted("stop")).connect(db, clock=clock).sync()
    clock.jump = jump
    report = two_pages(users("bo")).connect(db, clock=clock).sync()
    assert (report.sync.status, report.sync.resumed) == ("complete", resumed)
    assert len(picture(two_pages(users("bo")).connect(db))) == 2


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_clock_that_is_set_during_a_sync(memory: Path, jump: float) -> None:
    """Deadlines and waits go by another clock, which nobody can set."""
    clock, db = Jumping(), memory / "s.db"

    def second(cursor: Cursor) -> Page:
        clock.jump = jump
        return users("bo")

    script = two_pages(users("bo"))
    script.pages["users", 1] = second
    report = script.connect(db, clock=clock).sync()
    assert report.sync.status == "complete" and 0 <= report.sync.seconds < 60
    assert_sound(db)


@pytest.mark.parametrize("later", [-DAY, DAY])
def test_a_clock_that_is_set_before_settling(memory: Path, later: float) -> None:
    """A creation whose answer was lost is settled by the next command, whatever the time is said to be by then."""
    db = memory / "s.db"
    with office({}) as served:

        def lost(method: str, target: str) -> None:
            if method == "POST":
                raise OSError("the answer is lost")

        served.after = lost
        lost_one = managed(db, served.url, token=TOKEN).create_account("new@example.com", role="viewer")
        served.after = lambda method, target: None
        assert lost_one.state in ("done", "unknown")
        again = managed(db, served.url, token=TOKEN, later=later).create_account("new@example.com", role="viewer")
        assert (again.state, again.outcome) == ("done", "unchanged")
        assert sum(method == "POST" for method, _ in served.asked) == 1
        assert served.truth == {"new@example.com": "viewer"}
