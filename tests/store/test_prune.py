"""Forgetting: what is old goes, the current picture and the journal never."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kit.cli import Home, workspace
from kit.served import served

from connector_core import Host, Interrupted, NoPicture, UnknownName
from connector_core.host.connection import Connection
from connector_core.testing import FakeClock, Workspace

DAY = 86_400.0


class DailySyncs:
    """A workspace synced once a day; each day somebody joins and somebody changes their role."""

    def __init__(self, folder: Path, url: str, people: Workspace) -> None:
        self.clock, self.people, self.path = FakeClock(), people, folder / "s.db"
        host = Host(self.path, clock=self.clock, installed=True)
        settings = {"token": "t", "base_url": url}
        self.connection: Connection = host.connection("whimsical", settings=settings, managed=True)
        self.day = 0

    def days(self, count: int) -> None:
        for _ in range(count):
            self.day += 1
            user = self.people.add(f"p{self.day:02}@example.com", email=f"p{self.day:02}@example.com", role=True)
            if self.day > 1:
                before = self.people.find(f"p{self.day - 1:02}@example.com")
                assert before is not None
                self.people.set_role(before.id, False)
            assert user
            assert self.connection.sync().sync.status == "complete"
            self.clock.advance(DAY)

    def roles(self, at: str | None = None) -> dict[str | None, str | None]:
        return {row.user: row.role for row in self.connection.access(at=at)}


@pytest.fixture
def past(tmp_path: Path) -> Iterator[DailySyncs]:
    with served(Workspace(seed=1), token="t") as here:
        yield DailySyncs(tmp_path, here.url, here.workspace)


def sound(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_what_is_older_goes_and_what_is_left_is_told_as_before(past: DailySyncs) -> None:
    """Pictures from the given age on, and the current one, are the same; older ones are refused in words."""
    past.days(10)
    syncs = [str(sync.id) for sync in reversed(past.connection.syncs())]
    before = {at: past.roles(at) for at in syncs}
    now, changes = past.roles(), past.connection.changes(since=syncs[6])
    pruned = past.connection.prune(older=3.5 * DAY)
    assert (pruned.syncs, pruned.changes > 0, pruned.versions > 0) == (6, True, True)
    assert past.roles() == now
    assert past.connection.changes(since=syncs[6]) == changes
    for at in syncs[6:]:
        assert past.roles(at) == before[at]
    for at in syncs[:6]:
        with pytest.raises(UnknownName, match="was pruned"):
            past.roles(at)
    assert [str(sync.id) for sync in reversed(past.connection.syncs())] == syncs[6:]
    sound(past.path)


def test_so_many_syncs_are_kept_and_at_least_two(past: DailySyncs) -> None:
    """The last two are what `changes` compares; with both limits, what both would forget goes."""
    past.days(6)
    changes = past.connection.changes()
    assert past.connection.prune(keep=4, older=1.0).syncs == 2
    assert past.connection.prune(keep=1).syncs == 2
    assert len(past.connection.syncs()) == 2
    assert past.connection.changes() == changes
    assert past.connection.prune(keep=1).syncs == 0
    assert past.connection.prune(older=100 * DAY).oldest is None


def test_a_dry_run_forgets_nothing(past: DailySyncs) -> None:
    """And says what would go."""
    past.days(5)
    dry = past.connection.prune(keep=2, dry_run=True)
    assert dry.syncs == 3
    assert len(past.connection.syncs()) == 5
    assert past.connection.prune(keep=2) == dry


def test_the_history_of_a_person_begins_with_the_oldest_picture_left(past: DailySyncs) -> None:
    """They are known from there on; nothing of before is made up."""
    past.days(6)
    past.connection.prune(keep=2)
    (person,) = past.connection.history("p01@example.com")
    assert (person.baseline, person.held, person.changes) == (True, ("role:viewer:assigned",), ())


def test_later_syncs_and_the_journal_go_on(past: DailySyncs) -> None:
    """Operations are all still there, and can be taken back; a sync after pruning finds what changed and no more."""
    past.days(3)
    past.connection.grant("editor", "p01@example.com", reason="T")
    past.days(3)
    operations = past.connection.operations()
    past.connection.prune(keep=2)
    assert past.connection.operations() == operations
    past.days(1)
    assert past.connection.sync().changes.total == 0
    assert {c.user for c in past.connection.changes(since=None)} == set()
    assert len(past.connection.changes(since=str(past.connection.syncs()[2].id))) == 3
    sound(past.path)


def test_the_last_complete_sync_stays_known(past: DailySyncs) -> None:
    """However many incomplete ones came after it."""
    past.days(5)
    (complete,) = [sync.id for sync in past.connection.syncs() if sync.id == 2]
    with closing(sqlite3.connect(past.path)) as db, db:  # as if all later ones had had holes
        db.execute("UPDATE sync_runs SET status = 'incomplete' WHERE id > ?", (complete,))
    last = past.connection.picture().last_complete
    assert past.connection.prune(keep=2).syncs == 2
    assert last is not None
    assert past.connection.picture().last_complete == last
    assert complete in [sync.id for sync in past.connection.syncs()]


def test_an_interrupted_sync_is_still_resumed(past: DailySyncs) -> None:
    """What it has read already is no history."""
    past.days(4)
    for number in range(30):
        past.people.add(f"q{number:02}@example.com", email=f"q{number:02}@example.com")
    seen: list[int] = []

    def stop(progress: object) -> None:
        seen.append(1)
        if len(seen) == 2:
            raise Interrupted("enough")

    with pytest.raises(Interrupted):
        past.connection.sync(on_progress=stop)
    past.connection.prune(keep=2)
    assert past.connection.sync().sync.status == "complete"
    sound(past.path)


def test_without_a_picture_there_is_nothing_to_forget(past: DailySyncs) -> None:
    """Exit 6, as for all that asks the picture."""
    with pytest.raises(NoPicture):
        past.connection.prune(keep=2)


def test_the_command_asks_first_and_says_what_went(tmp_path: Path) -> None:
    """Without --yes and a terminal it is refused (exit 8); without a limit it is a mistake (exit 2)."""
    home = Home(tmp_path)
    with workspace(3) as there:
        home.connect(there.url)
        for number in range(4):
            there.workspace.add(f"n{number}@example.com", email=f"n{number}@example.com", role=True)
            assert home("run", "whimsical").code == 0
    assert home("prune", "whimsical").code == 2
    assert home("prune", "whimsical", "--keep", "1").code == 2
    refused = home("prune", "whimsical", "--keep", "2")
    assert (refused.code, "--yes confirms it" in refused.err) == (8, True)
    assert home("prune", "whimsical", "--keep", "2", "--dry-run").out.startswith("would forget 2 syncs, 4 changes, ")
    document = home("prune", "whimsical", "--keep", "2", "--yes", "--json").document
    assert (document["dry_run"], document["pruned"]["syncs"]) == (False, 2)
    assert home("prune", "whimsical", "--older-than", "30d", "--yes").out == "nothing is old enough to be forgotten\n"
    assert stat.S_IMODE((tmp_path / "state.db").stat().st_mode) == 0o600
