"""How many pages are asked for at once: what the application bears, found by a policy that only sees times."""

from __future__ import annotations

import heapq
import threading
from pathlib import Path

import pytest
from kit.sync import Asked, Document, Reply, Script, Site, assert_sound, connect, first, picture, rows, user

from connector_core.model import Cursor, Page
from connector_core.sync import reading
from connector_core.sync.pacing import Pace


class PagedApplication:
    """Works on some pages at a time; what is asked for meanwhile waits. ``pace`` decides how many are asked for."""

    def __init__(self, most: int = 8) -> None:
        self.pace = Pace(most)
        self._now = 0.0

    def read(self, *, at_once: int, took: float = 0.05, pages: int = 400) -> int:
        """Read pages, each of which takes it so many seconds; how many are asked for at once in the end."""
        free = [self._now] * at_once  # when each of its workers is
        under_way: list[tuple[float, float]] = []
        for _ in range(pages):
            while len(under_way) < self.pace.in_flight:
                begins = max(self._now, heapq.heappop(free))
                heapq.heappush(free, begins + took)
                heapq.heappush(under_way, (begins + took, self._now))
            self._now, asked = heapq.heappop(under_way)
            self.pace.answered("users", asked, self._now)
        return self.pace.in_flight


def test_an_application_that_bears_it_is_asked_for_all_at_once() -> None:
    """Where no page takes longer than alone, the limit is what is asked for."""
    assert [PagedApplication().read(at_once=at_once) for at_once in (8, 100)] == [8, 8]


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_pages_that_only_wait_are_not_asked_for(at_once: int) -> None:
    """No more than twice what the application works on at a time, and no less than that."""
    assert at_once <= PagedApplication().read(at_once=at_once) <= 2 * at_once


def test_when_it_grows_quick_again_more_are_asked_for() -> None:
    """One more a round."""
    application = PagedApplication()
    assert application.read(at_once=1) < 3
    assert application.read(at_once=8) == 8


def test_an_application_that_is_slower_from_now_on_is_not_held_for_crowded() -> None:
    """How quick it once was is forgotten in time."""
    application = PagedApplication()
    application.read(at_once=8, took=0.05)
    assert application.read(at_once=8, took=0.5, pages=40) < 8
    assert application.read(at_once=8, took=0.5, pages=2000) == 8


def test_a_refusal_halves_and_those_in_flight_with_it_say_it_once() -> None:
    """Eight that were asked for together and refused together are one refusal."""
    pace = Pace(8)
    for n in range(8):
        pace.refused(asked=1.0, now=1.1 + n / 100)
    assert pace.in_flight == 4
    for _ in range(5):
        pace.refused(asked=2.0, now=2.0)
    assert pace.in_flight == 1


def test_answers_to_what_was_asked_before_a_change_say_nothing() -> None:
    """They were in flight with more others."""
    pace = Pace(8)
    pace.refused(asked=0.0, now=1.0)
    for _ in range(100):
        pace.answered("users", asked=0.5, now=9.0)
    assert pace.in_flight == 4


def test_streams_are_compared_with_themselves() -> None:
    """A page that takes no request, as the first one may, makes no other page a slow one."""
    pace = Pace(8)
    pace.answered("", 0.0, 0.001)
    for n in range(100):
        pace.answered("users", float(n), n + 0.05)
    assert pace.in_flight == 8


def test_streams_without_number_are_not_all_remembered() -> None:
    """One for each group, for instance."""
    pace = Pace(8)
    for n in range(5000):
        pace.answered(f"members of {n}", float(n), n + 0.05)
    assert len(pace._quickest) <= 1008
    assert pace.in_flight == 8


def test_times_of_nothing_are_no_division_by_nothing() -> None:
    """A clock may stand still between two looks."""
    pace = Pace(2)
    for _ in range(10):
        pace.answered("users", 1.0, 1.0)
    assert pace.in_flight == 2


@pytest.mark.parametrize("workers", [1, 8])
def test_refusals_change_nothing_in_the_picture(db: Path, workers: int) -> None:
    """However many are asked for at once, and whatever is refused meanwhile: the same people hold the same."""
    with Site(60) as site:
        site.after = every_fifth_refused
        connection = connect(db, site, page_size=10)
        report = connection.sync(workers=workers)
        assert (report.sync.status, report.warnings) == ("complete", ())
        assert picture(connection) == site.users()
        assert len({row.user_id for row in rows(connection)}) == 60
    assert_sound(db)


def every_fifth_refused(asked: Asked, document: Document) -> Document | Reply:
    return Reply(status=429, body="{}") if asked.number % 5 == 0 else document


class FixedPace:
    """In place of a `Pace`: three at a time, whatever happens."""

    in_flight = 3

    def __init__(self, most: int) -> None:
        self.told: list[str] = []
        heard.append(self)

    def answered(self, stream: str, asked: float, now: float) -> None:
        self.told.append("answered" if asked <= now else "wrong")

    def refused(self, asked: float, now: float) -> None:
        self.told.append("refused" if asked <= now else "wrong")


heard: list[FixedPace] = []


def test_a_sync_keeps_to_its_pace(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many pages as it says are asked for at once, and it is told of each answer and of refusals."""
    monkeypatch.setattr(reading, "Pace", FixedPace)
    script = Script(
        {None: first("s"), ("s", 0): Page(next=tuple(Cursor("s", n) for n in range(1, 13)))}
        | {("s", n): lambda cursor: three_come(cursor) for n in range(1, 13)}
    )
    script.workers = 8
    together, inside, most = threading.Barrier(3), [0], [0]
    lock = threading.Lock()

    def three_come(cursor: Cursor) -> Page:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        together.wait(20)  # less than three at a time, and nobody gets further
        with lock:
            inside[0] -= 1
        return Page(resources=(user(f"u{cursor.position}"),))

    script.connect(db).sync(workers=8)
    assert (most, set(heard[-1].told)) == ([3], {"answered"})
    with Site(20) as site:
        site.after = every_fifth_refused
        connect(db, site, page_size=5).sync()
    assert set(heard[-1].told) == {"answered", "refused"}
