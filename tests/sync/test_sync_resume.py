"""Resume: a sync that died goes on where it was, asks for no committed page again, and ends as if nothing had been."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.sync import (
    Asked,
    Forks,
    Script,
    Site,
    connect,
    dump,
    first,
    messages,
    opened,
    picture,
    rows,
    users,
)

from connector_core.errors import Interrupted
from connector_core.model import Cursor, Page
from connector_core.testing import FakeClock, Switches

PAGES = 6  # of 25 people, five a page, overlapping by one


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as forks:
        yield forks


def killing(site: Site, pid: int, *, at: int) -> None:
    """Kill the process when it asks for page number ``at``."""

    alive = [pid]  # a number must not be used twice: it may be somebody else's by then

    def before(asked: Asked) -> None:
        if asked.number == at and alive:
            os.kill(alive.pop(), signal.SIGKILL)

    site.before = before


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("page", range(1, PAGES + 1))
def test_killed_at_each_page_it_ends_with_the_same_picture(
    forks: Forks, db: Path, tmp_path: Path, page: int, workers: int
) -> None:
    """Whichever page a sync is killed at, resuming gives the picture of an undisturbed one."""
    with Site(25) as site:
        pid = forks.begin(db, site, page_size=5, run={"workers": workers})
        killing(site, pid, at=page)
        assert forks.go()["status"] == -signal.SIGKILL
        report = connect(db, site, page_size=5).sync(workers=workers)
        assert (report.sync.status, report.sync.resumed, report.changes.total) == ("complete", True, 0)
        undisturbed = connect(tmp_path / "other.db", site, page_size=5)
        undisturbed.sync()
        now, other = rows(connect(db, site)), rows(undisturbed)
        assert [(r.user, r.role, r.confirmed) for r in now] == [(r.user, r.role, r.confirmed) for r in other]
        assert report.counts == undisturbed.sync().counts


@pytest.mark.parametrize("page", range(1, PAGES + 1))
def test_no_committed_page_is_asked_for_again(forks: Forks, db: Path, page: int) -> None:
    """With one reader all pages before the killed one are committed; after resuming, only the rest is asked for."""
    with Site(25) as site:
        pid = forks.begin(db, site, page_size=5, run={"workers": 1})
        killing(site, pid, at=page)
        forks.go()
        before = [a.start for a in site.listings()][:-1]
        site.forget()
        connect(db, site, page_size=5).sync(workers=1)
        after = [a.start for a in site.listings()]
        assert not set(before) & set(after)
        assert sorted(before + after) == [1, 5, 9, 13, 17, 21]


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_killed_around_publication_it_is_published_once(forks: Forks, db: Path, moment: str) -> None:
    """Killed just before, within or just after publishing, a sync is published exactly once and reads nothing anew."""
    with Site(25) as site:
        connect(db, site, page_size=5).sync()
        site.workspace.shuffle(1)
        assert forks.sync(db, site, die=moment, page_size=5)["status"] == -signal.SIGKILL
        statuses = [s.status for s in connect(db, site).syncs()]
        assert statuses == (["complete", "complete"] if moment == "after" else ["running", "complete"])
        site.forget()
        report = connect(db, site, page_size=5).sync()
        assert picture(connect(db, site)) == site.users()
        assert report.sync.resumed == (moment != "after")
        assert len(site.listings()) == (7 if moment == "after" else 0)  # one page more: somebody joined
        events = dump(db, "sync_runs")[0]
        assert len(events) == (3 if moment == "after" else 2)


def test_killed_while_looking_up_it_resumes_there(forks: Forks, db: Path) -> None:
    """A sync killed while it confirms leavers goes on with the confirming and ends the right ones."""
    with Site(40) as site:
        connect(db, site).sync()
        for leaver in site.workspace.users()[:4]:
            site.workspace.remove(leaver.id)
        pid = forks.begin(db, site, run={"workers": 1})

        def before(asked: Asked) -> None:
            if len(site.lookups()) == 3:
                os.kill(pid, signal.SIGKILL)

        site.before = before
        assert forks.go()["status"] == -signal.SIGKILL
        site.before = lambda asked: None
        site.forget()
        report = connect(db, site).sync(workers=1)
        assert (report.sync.status, report.sync.resumed, report.changes.removed) == ("complete", True, 8)
        assert len(site.lookups()) == 2
        assert [asked.count for asked in site.listings()] == [1, 1]  # no page: the control that follows a 404 (P55)
        assert picture(connect(db, site)) == site.users()


def test_killed_in_the_second_reading_it_resumes_there(forks: Forks, db: Path) -> None:
    """A second reading is frontier too: killed within it, a sync goes on there and the first is not repeated."""
    with Site(25) as site:
        pid = forks.begin(db, site, page_size=5, run={"workers": 1})

        def before(asked: Asked) -> None:
            if asked.number == 3:
                site.workspace.remove(site.workspace.users()[0].id)
            if asked.number == PAGES + 3:
                os.kill(pid, signal.SIGKILL)

        site.before = before
        assert forks.go()["status"] == -signal.SIGKILL
        site.before = lambda asked: None
        site.forget()
        report = connect(db, site, page_size=5).sync(workers=1)
        assert report.sync.status == "complete" and len(site.pages()) == PAGES - 2
        assert picture(connect(db, site)) == site.users()


def script(*, killer: bool) -> Script:
    """Two pages; after the first, the reader stops."""
    second = Interrupted("enough") if killer else users("bo")
    return Script(
        {None: first("users"), ("users", 0): users("ada", next=(Cursor("users", 1),), total=2), ("users", 1): second}
    )


def interrupted(db: Path, clock: FakeClock, **settings: Any) -> Script:
    stopped = script(killer=True)
    with pytest.raises(Interrupted) as caught:
        stopped.connect(db, clock=clock, **settings).sync()
    assert caught.value.report.sync.status == "interrupted"
    return stopped


def test_an_interrupted_sync_is_gone_on_with(db: Path) -> None:
    """Within the hour, with everything as it was, the same sync goes on."""
    clock = FakeClock()
    interrupted(db, clock)
    clock.advance(3599)
    again = script(killer=False)
    report = again.connect(db, clock=clock).sync()
    assert (report.sync.id, report.sync.resumed, again.asked) == (1, True, [("users", 1)])


@pytest.mark.parametrize(
    "change, why",
    [
        ("hour", "sync 1 stopped 60 minutes ago"),
        ("version", "sync 1 was begun by version 0.9 of the connector"),
        ("settings", "sync 1 was begun with other settings"),
    ],
)
def test_otherwise_a_new_one_begins_and_says_why(db: Path, change: str, why: str) -> None:
    """After an hour, with another connector version or other settings, all is read anew; the output says why."""
    clock = FakeClock()
    interrupted(db, clock)
    clock.advance(3601 if change == "hour" else 1)
    if change == "version":
        with opened(db) as connection:
            connection.execute("UPDATE sync_runs SET version = '0.9'")
    again = script(killer=False)
    later = again.connect(db, clock=clock, **({"width": 2} if change == "settings" else {}))
    report = later.sync()
    assert (report.sync.id, report.sync.resumed, len(again.asked)) == (2, False, 3)
    assert why in messages(later) and any(why in w for w in report.warnings)
    assert [s.status for s in later.syncs()] == ["complete", "interrupted"]


def test_fresh_begins_anew(db: Path) -> None:
    """``fresh`` reads everything although the interrupted sync could be resumed."""
    clock = FakeClock()
    interrupted(db, clock)
    again = script(killer=False)
    assert again.connect(db, clock=clock).sync(fresh=True).sync.id == 2
    assert len(again.asked) == 3


def test_another_number_of_workers_resumes(forks: Forks, db: Path) -> None:
    """How many readers there are has no part in whether a sync is resumed."""
    with Site(25) as site:
        pid = forks.begin(db, site, page_size=5, run={"workers": 1})
        killing(site, pid, at=4)
        forks.go()
        site.before = lambda asked: None
        assert connect(db, site, page_size=5).sync(workers=8).sync.resumed
        assert picture(connect(db, site)) == site.users()


def test_p13_cursors_that_expired_meanwhile_begin_their_stream_anew(forks: Forks, db: Path) -> None:
    """Resumed after its cursors expired, a stream is read from its beginning, and the sync is complete."""
    clock = FakeClock()
    with Site(25, switches=Switches(cursor_paging="only", cursor_timeout=60), clock=clock) as site:
        pid = forks.begin(db, site, page_size=5, run={"workers": 1})
        killing(site, pid, at=5)
        forks.go()
        site.before = lambda asked: None
        clock.advance(61)
        report = connect(db, site, page_size=5).sync()
        assert (report.sync.status, report.sync.resumed) == ("complete", True)
        assert any("cursors expired" in w for w in report.warnings)
        assert picture(connect(db, site)) == site.users()


def test_restarts_are_counted_over_all_sittings(db: Path) -> None:
    """Three restarts at most, however often the sync is interrupted in between."""
    from connector_core.errors import StreamExpired

    answers: list[BaseException] = []

    def second(cursor: Cursor) -> Page:
        raise answers.pop(0) if answers else StreamExpired("gone")

    pages = {
        None: first("users"),
        ("users", 0): users("ada", next=(Cursor("users", 1),), total=2),
        ("users", 1): second,
    }
    answers += [StreamExpired("gone"), StreamExpired("gone"), Interrupted("stop")]
    with pytest.raises(Interrupted):
        Script(pages).connect(db).sync()
    last = Script(pages)
    with pytest.raises(StreamExpired):
        last.connect(db).sync()
    assert last.asked.count(("users", 0)) == 1
