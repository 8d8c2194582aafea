"""One sync at a time, stopped at any moment: locks, interrupts, calls that never come back, and progress."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from kit.processes import running
from kit.sync import (
    Asked,
    Forks,
    Script,
    Site,
    assert_sound,
    connect,
    first,
    member,
    membership,
    messages,
    opened,
    picture,
    users,
)

from connector_core.errors import Busy, ConnectorCoreError, Interrupted, PluginError, UsageError
from connector_core.model import Cursor, Page
from connector_core.sync import Progress, SyncPolicy

# -- one at a time --------------------------------------------------------------------------------------------------


def test_a_second_sync_is_busy_and_names_the_holder(db: Path) -> None:
    """While one process syncs, another is refused at once and told whom to wait for; nothing of it is left."""
    with Site(12) as site, Forks() as forks:
        waiting, on = threading.Event(), threading.Event()

        def before(asked: Asked) -> None:
            waiting.set()
            on.wait(20)

        site.before = before
        pid = forks.begin(db, site)
        done = threading.Thread(target=forks.go)
        done.start()
        assert waiting.wait(20)
        with pytest.raises(Busy, match=f"process {pid} on "):
            connect(db, site).sync()
        on.set()
        done.join(20)
        assert [s.status for s in connect(db, site).syncs()] == ["complete"]


def test_the_lock_is_freed_when_its_holder_is_killed(db: Path) -> None:
    """A process that dies leaves no lock behind: the next sync goes ahead, and goes on."""
    with Site(12) as site, Forks() as forks:
        pid = forks.begin(db, site)
        site.before = lambda asked: os.kill(pid, signal.SIGKILL)
        assert forks.go()["status"] == -signal.SIGKILL
        site.before = lambda asked: None
        assert connect(db, site).sync().sync.resumed


def test_another_connection_in_the_same_file_is_not_kept_waiting(db: Path) -> None:
    """The lock is the connection's: two connections that share a file sync at the same time, and stay apart."""
    with Site(12) as site, Site(7) as other:
        mine = connect(db, site, page_size=3)
        theirs = mine.host.connection(  # type: ignore[attr-defined]
            "other", connector="whimsical", settings={"token": "sandbox", "base_url": other.url, "page_size": 3}
        )
        once = [None]

        def before(asked: Asked) -> None:
            if asked.number == 3 and once:
                once.pop()
                theirs.sync()

        site.before = before
        assert mine.sync().sync.status == theirs.sync().sync.status == "complete"
        assert picture(mine) == site.users() and picture(theirs) == other.users()
        assert mine.changes() == theirs.changes() == ()


def test_syncs_of_one_connection_in_two_threads(db: Path) -> None:
    """The lock holds within one process, too."""
    script = Script({None: first("users")})
    connection = script.connect(db)
    refused: list[BaseException] = []

    def during(cursor: Cursor) -> Page:
        with pytest.raises(Busy) as caught:
            connection.sync()
        refused.append(caught.value)
        return users("ada")

    script.pages["users", 0] = during
    assert connection.sync().sync.status == "complete" and len(refused) == 1


# -- stopping -------------------------------------------------------------------------------------------------------


def test_an_interrupt_commits_the_page_in_hand_and_is_resumable(db: Path) -> None:
    """After a cancel nothing more is asked for; what was in hand is kept, and the next sync reads only the rest."""
    script = Script({None: first("users"), ("users", 1): users("bo")})
    connection = script.connect(db)

    def during(cursor: Cursor) -> Page:
        connection.host.cancel()  # type: ignore[attr-defined]
        return users("ada", next=(Cursor("users", 1),))

    script.pages["users", 0] = during
    with pytest.raises(Interrupted) as caught:
        connection.sync()
    assert caught.value.report.sync.status == "interrupted" and caught.value.report.sync.pages == 1
    script.asked.clear()
    report = script.connect(db).sync()
    assert (report.sync.resumed, script.asked, report.counts.user) == (True, [("users", 1)], 2)


def test_an_interrupt_over_sockets_is_honoured_at_once(db: Path) -> None:
    """A client that waits for a slow server's 503 to pass stops waiting."""
    with Site(30) as site:
        connection = connect(db, site, page_size=5)

        def before(asked: Asked) -> None:
            if asked.number == 3:
                connection.host.cancel()  # type: ignore[attr-defined]

        site.before = before
        with pytest.raises(Interrupted):
            connection.sync(workers=1)
        site.before = lambda asked: None
        report = connect(db, site, page_size=5).sync()
        assert report.sync.resumed and picture(connect(db, site)) == site.users()


def test_a_call_that_never_comes_back_fails_by_its_deadline(db: Path) -> None:
    """A plugin that hangs fails the sync, not the host; nothing of it is published."""
    released = threading.Event()

    def hang(cursor: Cursor) -> Page:
        released.wait(30)
        return users("ada")

    script = Script({None: first("users"), ("users", 0): hang})
    with pytest.raises(PluginError, match="did not answer in time") as caught:
        script.connect(db, policy=SyncPolicy(call_deadline=0.2)).sync()
    released.set()
    assert caught.value.report.sync.status == "failed"


def test_an_interrupt_does_not_wait_for_a_call_that_hangs(db: Path) -> None:
    """Once interrupted, a page in hand is waited for only so long."""
    released, came_back = threading.Event(), list[bool]()
    script = Script({None: first("users")})
    connection = script.connect(db, policy=SyncPolicy(grace=0.2))

    def hang(cursor: Cursor) -> Page:
        connection.host.cancel()  # type: ignore[attr-defined]
        came_back.append(not released.wait(30))
        return users("ada")

    script.pages["users", 0] = hang
    with pytest.raises(Interrupted):
        connection.sync()
    assert not came_back
    released.set()
    assert connection.syncs()[0].status == "interrupted"


def test_the_first_error_is_the_one_that_is_told(db: Path) -> None:
    """Of several pages that fail at once the first failure is reported, not the last."""
    barrier = threading.Barrier(2)

    def fail(cursor: Cursor) -> Page:
        barrier.wait(10)
        if cursor.stream == "b":
            threading.Event().wait(0.2)
        raise ConnectorCoreError(f"stream {cursor.stream} failed")

    script = Script({None: first("a", "b"), ("a", 0): fail, ("b", 0): fail})
    script.workers = 2
    with pytest.raises(ConnectorCoreError, match="stream a failed"):
        script.connect(db).sync()


def test_a_bug_in_a_plugin_is_its_failure(db: Path) -> None:
    """Whatever a plugin raises is said with its name."""
    with pytest.raises(PluginError, match="script"):
        Script({None: ZeroDivisionError("oh")}).connect(db).sync()


@pytest.mark.parametrize("workers", [0, -1])
def test_a_senseless_number_of_workers_is_refused(db: Path, workers: int) -> None:
    """No reader at all could never read anything."""
    script = Script({None: first("users"), ("users", 0): users("ada")})
    script.connect(db).sync()
    with pytest.raises(UsageError):
        script.connect(db).sync(workers=workers)


def test_no_more_pages_are_asked_for_at_once_than_workers(db: Path) -> None:
    """Never more requests under way than readers, and never more readers than the connector allows."""
    under_way, most, lock = [0], [0], threading.Lock()

    def slow(cursor: Cursor) -> Page:
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        threading.Event().wait(0.02)
        with lock:
            under_way[0] -= 1
        return users(f"u{cursor.stream}")

    streams = [f"s{n}" for n in range(12)]
    script = Script({None: first(*streams), **{(s, 0): slow for s in streams}})
    script.workers = 3
    script.connect(db).sync(workers=64)
    assert most == [3]


# -- telling --------------------------------------------------------------------------------------------------------


def test_progress_is_told_while_it_reads(db: Path) -> None:
    """Pages, people and the total, growing, from the caller's own thread."""
    told: list[Progress] = []
    threads: set[threading.Thread] = set()

    def on_progress(progress: Progress) -> None:
        told.append(progress)
        threads.add(threading.current_thread())

    with Site(30) as site:
        connect(db, site, page_size=10).sync(on_progress=on_progress)
    assert threads == {threading.current_thread()}
    assert told[-1].resources == 32 and told[-1].total == 30 and told[-1].requests == 4
    assert [p.pages for p in told] == sorted(p.pages for p in told)


def test_progress_counts_grants(db: Path) -> None:
    """A list of members brings no resource: its grants show that the sync moves."""
    told: list[Progress] = []
    lists: dict[Any, Page] = {None: first("users", "members"), ("users", 0): users("ada", "bo")}
    lists["members", 0] = Page(entitlements=(membership("g1"),), grants=(member("ada", "g1"), member("bo", "g1")))
    report = Script(lists).connect(db).sync(on_progress=told.append)
    assert (told[-1].resources, told[-1].grants) == (4, 2 + 2)  # each of the two is a viewer, and a member
    assert report.counts.by_type == {"group": 0, "role": 2, "user": 2}


def test_requests_and_pages_are_counted(db: Path) -> None:
    """Every request is counted once, look-ups and those that reached nobody included."""
    with Site(30) as site:
        connection = connect(db, site, page_size=10)
        connection.sync()
        site.workspace.remove(site.workspace.users()[0].id)
        site.forget()
        info = connection.sync().sync
        assert (info.requests, info.pages) == (len(site.asked), len(site.pages()))
    with pytest.raises(ConnectorCoreError) as caught:
        connect(db, "http://127.0.0.1:1").sync()
    assert caught.value.report.sync.requests > 0 and caught.value.report.sync.status == "failed"


def test_a_failing_announcement_is_logged_and_no_failure(db: Path) -> None:
    """A plugin that fails when told that a sync ended fails alone."""
    from connector_core.hookspecs import hookimpl

    class Rude(Script):
        @hookimpl
        def sync_finished(self, report: Any) -> None:
            raise ValueError("rude")

    connection = Rude({None: first("users"), ("users", 0): users("ada")}).connect(db)
    assert connection.sync().sync.status == "complete"
    assert "failed in sync_finished" in messages(connection)


def test_the_token_is_in_no_log_and_nowhere_in_the_file(db: Path) -> None:
    """A server that echoes the token does not get it into the state."""
    with Site(3) as site:
        row = {"id": "1", "userName": 1, "sandbox": "sandbox"}
        site.after = lambda asked, document: {**document, "Resources": [row]}
        connect(db, site).sync()
    assert b"sandbox" not in db.read_bytes()


def test_two_processes_sync_two_connections_into_one_file_at_once(tmp_path: Path) -> None:
    """Writers of one file take turns and lose nothing of each other's."""
    db = tmp_path / "shared.db"
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from kit.sync import *\n"
        "names = [f'u{n}' for n in range(400)]\n"
        "after = lambda i: (Cursor('users', i + 1),) if i < 39 else ()\n"
        "pages = {('users', i): users(*names[i * 10:i * 10 + 10], next=after(i)) for i in range(40)}\n"
        "script = Script({None: first('users'), **pages})\n"
        "host = Host(db=sys.argv[2], plugins={'script': script}, installed=False)\n"
        "for _ in range(3): assert host.connection(sys.argv[3], connector='script').sync().counts.user == 400\n"
    )
    here = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", program, here, str(db)]
    with running([*command, "one"]) as one, running([*command, "two"]) as two:
        assert [one.wait(60), two.wait(60)] == [0, 0]
    with opened(db) as connection:
        counts = "SELECT connection, count(*) FROM access GROUP BY 1 ORDER BY 1"
        assert [tuple(r) for r in connection.execute(counts)] == [("one", 400), ("two", 400)]
        assert connection.execute("SELECT count(*) FROM change_log").fetchone()[0] == 0
    assert_sound(db)
