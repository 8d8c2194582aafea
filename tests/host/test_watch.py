"""Watching connections: from new over syncing to connected, and what needs a person."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from kit.cli import Home, workspace

from connector_core.clock import SystemClock
from connector_core.host.host import Host
from connector_core.model import Secret
from connector_core.store.connections import ConnectionRef
from connector_core.store.lock import exclusive
from connector_core.testing import FakeClock


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def status(home: Home) -> dict[str, object]:
    row: dict[str, object] = home("status", "whimsical", "--json").document["connections"][0]
    return row


def test_new_then_connected(home: Home) -> None:
    """A connection is new until its first sync, and connected after a complete one."""
    with workspace(3) as served:
        home.connect(served.url)
        assert status(home)["label"] == "new"
        assert home("run", "whimsical").code == 0
    row = status(home)
    assert (row["label"], row["needs_person"], row["why"]) == ("connected", False, None)
    assert row["last_complete"] == row["last_sync"]["finished"]  # type: ignore[index]


def test_failing_says_since_when_and_why(home: Home) -> None:
    """The first of the failures in a row says since when; the last one why. Monitoring sees it by the exit code."""
    with workspace(3) as served:
        home.connect(served.url)
        home("run", "whimsical")
        home.connect(served.url, token="another")
        home("run", "whimsical")
        first = status(home)
        home("run", "whimsical")
    again = status(home)
    assert (first["label"], again["label"], again["since"]) == ("failing", "failing", first["since"])
    assert "401" in str(again["why"])
    done = home("status")
    assert done.code == 6
    assert done.out.startswith("whimsical: failing since ")


def test_held_needs_a_person(home: Home) -> None:
    """A held sync does not get well by itself."""
    with workspace(12) as served:
        home.connect(served.url)
        home("run", "whimsical")
        for user in served.workspace.users()[:11]:
            served.workspace.remove(user.id)
        assert home("run", "whimsical").code == 6
    row = status(home)
    assert (row["label"], row["needs_person"]) == ("held", True)
    assert "11 of 12 accounts" in str(row["why"])


def test_syncing_is_seen_by_another_process(home: Home) -> None:
    """Whoever holds the connection's lock is syncing; when they are gone, they are not, whatever a row says."""
    with workspace(3) as served:
        home.connect(served.url)
        home("run", "whimsical")
    with closing(sqlite3.connect(home.db, isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        with exclusive(home.db, db, ConnectionRef(name="whimsical", connector="whimsical"), SystemClock()):
            assert status(home)["label"] == "syncing"
        db.execute("UPDATE sync_runs SET status = 'running'")
    assert status(home)["label"] == "interrupted"


def test_the_age_of_the_last_complete_picture(tmp_path: Path) -> None:
    """Counted in seconds by the host's clock, which may be set back without making it negative."""
    clock = FakeClock()
    with workspace(3) as served:
        host = Host(tmp_path / "state.db", clock=clock)
        settings = {"base_url": served.url, "token": Secret("a-token-that-nobody-guesses")}
        host.connection("whimsical", settings=settings).sync()
    clock.advance(90)
    assert host.status("whimsical").age == pytest.approx(90, abs=1)
    assert Host(tmp_path / "state.db", clock=FakeClock(0)).status("whimsical").age == 0


def test_connections_lists_what_is_used(home: Home) -> None:
    """Connections that nobody configured or used are left out, unless all are asked for."""
    (home.folder / "c.toml").write_text(
        '[apps."Boards"]\nowner = "it@example.com"\nmanaged = true\n[connections.whimsical]\napp = "Boards"\n'
    )
    done = home("connections", "--config", "c.toml")
    assert done.out.splitlines()[0].split() == [
        "CONNECTION",
        "APP",
        "OWNER",
        "MANAGED",
        "STATE",
        "LAST",
        "COMPLETE",
        "WHY",
    ]
    assert done.out.splitlines()[1].split() == ["whimsical", "Boards", "it@example.com", "managed", "new", "never"]
    assert len(done.out.splitlines()) == 2
    names = [row["connection"] for row in home("connections", "--all", "--json").document["connections"]]
    assert names == ["whimsical", "whimsical-sandbox"]
