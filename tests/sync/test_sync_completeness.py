"""When a sync is complete: overlapping pages, totals that differ or lie, second readings, and walks that never end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.sync import (
    Asked,
    Document,
    Script,
    Site,
    connect,
    editor,
    first,
    messages,
    picture,
    user,
    users,
)

from connector_core.errors import ApplicationError, ProtocolError, StreamExpired
from connector_core.model import Cursor, Key, Page, Rejected, Span
from connector_core.sync import SyncPolicy
from connector_core.testing import FakeClock, Switches

# -- a server that behaves ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 30, 31, 100])
def test_any_page_size_and_any_number_of_workers_give_the_same(db: Path, page_size: int, workers: int) -> None:
    """Thirty people are thirty people, whatever the page size and however many pages are asked for at once."""
    with Site(30) as site:
        report = connect(db, site, page_size=page_size).sync(workers=workers)
        assert (report.sync.status, report.sync.reason, report.warnings) == ("complete", None, ())
        assert picture(connect(db, site)) == site.users()
        assert (report.counts.user, report.counts.role, report.counts.grant) == (30, 2, 30)


@pytest.mark.parametrize("people", [0, 1, 2, 5, 6])
@pytest.mark.parametrize("total", ["grand", "page", "text", "absent"])
@pytest.mark.parametrize("paging", ["off", "offered", "only"])
def test_p02_p12_p13_every_kind_of_total_and_paging_is_complete(db: Path, people: int, total: Any, paging: Any) -> None:
    """Totals of the page's own length, as text or absent, by index or by cursor: all is read, and known to be all."""
    with Site(people, switches=Switches(total=total, cursor_paging=paging)) as site:
        report = connect(db, site, page_size=3).sync()
        assert (report.sync.status, report.sync.reason) == ("complete", None)
        assert picture(connect(db, site)) == site.users()


def test_p01_a_capped_page_loses_nobody(db: Path) -> None:
    """The server gives fewer rows than asked for: the walk goes on behind those that came."""
    with Site(50, switches=Switches(page_cap=7)) as site:
        assert connect(db, site, page_size=100).sync().sync.status == "complete"
        assert picture(connect(db, site)) == site.users()


def test_more_than_one_window_of_cursors(db: Path) -> None:
    """A listing of more than a thousand pages opens its cursors in windows, and all of it is read."""
    with Site(1100) as site:
        report = connect(db, site, page_size=2).sync(workers=8)
        assert (report.sync.status, report.counts.user) == ("complete", 1100)
        assert len(site.listings()) == 1099


# -- rows that move -------------------------------------------------------------------------------------------------


def at_page(number: int, act: Callable[[Site], None]) -> Callable[[Site], None]:
    """Do something to the workspace just before page ``number`` is answered."""

    def arrange(site: Site) -> None:
        def before(asked: Asked) -> None:
            if asked.number == number:
                act(site)

        site.before = before

    return arrange


def leave(*places: int) -> Callable[[Site], None]:
    def act(site: Site) -> None:
        people = site.workspace.users()
        for place in places:
            site.workspace.remove(people[place].id)

    return act


def join(count: int) -> Callable[[Site], None]:
    return lambda site: site.workspace.populate(count, seed=9)


def both(*acts: Callable[[Site], None]) -> Callable[[Site], None]:
    def act(site: Site) -> None:
        for one in acts:
            one(site)

    return act


@pytest.mark.parametrize("page_size", [1, 2, 5])
@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize(
    "act",
    [
        leave(0), leave(0, 1), leave(0, 1, 2, 3, 4, 5), join(1), join(7),
        both(leave(0), join(1)), both(leave(0, 1), join(2)), both(leave(0, 1, 2, 3, 4, 5), join(6)),
    ],
    ids=["leaver", "two leave", "six leave", "joiner", "seven join", "one each", "two each", "six each"],
)  # fmt: skip
def test_p08_joiners_and_leavers_between_two_pages(
    db: Path, act: Callable[[Site], None], page_size: int, workers: int
) -> None:
    """Whoever joins and leaves between two pages, totals equal or not: the picture is right and the sync complete."""
    with Site(25) as site:
        at_page(3, act)(site)
        report = connect(db, site, page_size=page_size).sync(workers=workers)
        assert (report.sync.status, picture(connect(db, site))) == ("complete", site.users())


def test_p08_a_leaver_and_a_joiner_leave_the_total_as_it_was(db: Path) -> None:
    """Equal totals prove little: the seam shows that rows moved, the stream is read again, and nobody is missed."""
    with Site(25) as site:
        at_page(3, both(leave(0, 1), join(2)))(site)
        connection = connect(db, site, page_size=5)
        connection.sync(workers=1)
        assert "rows moved while reading" in messages(connection) and "once more" in messages(connection)
        assert len(site.lookups()) == 3  # two left after the first reading, and one was missed by it
        assert picture(connection) == site.users()


def test_p08_the_second_reading_is_the_last(db: Path) -> None:
    """A listing that never keeps still is read twice, not for ever; what is not known to be whole is incomplete."""
    with Site(25) as site:
        site.after = lambda asked, document: {**document, "totalResults": document["totalResults"] + asked.number}
        connection = connect(db, site, page_size=5)
        report = connection.sync(workers=1)
        assert report.sync.status == "incomplete" and "the server counts" in str(report.sync.reason)
        assert [a.start for a in site.listings()].count(1) == 2
        assert picture(connection) == site.users()


def test_a_list_that_never_keeps_still_names_its_cure(db: Path) -> None:
    """Where two readings in pages do not add up, a warning names a larger page; one page has nothing to compare."""
    with Site(25) as site:
        site.after = lambda asked, document: {**document, "totalResults": 25 + asked.number % 3}
        report = connect(db, site, page_size=5).sync(workers=1)
        assert report.sync.status == "incomplete"
        assert any("larger page_size" in warning for warning in report.warnings)
        site.after = lambda asked, document: document
        report = connect(db, site, page_size=100).sync()
        assert (report.sync.status, report.warnings) == ("complete", ())


@pytest.mark.parametrize("seed", range(8))
def test_p08_under_random_drift_the_picture_is_right_or_the_sync_not_complete(db: Path, seed: int) -> None:
    """People come and go during the whole reading: a sync that says complete has everybody who was there throughout."""
    import random

    rng = random.Random(seed)
    with Site(40) as site:
        stayed = {u.login for u in site.workspace.users()}

        def before(asked: Asked) -> None:
            if asked.id is None and rng.random() < 0.5:
                left = site.workspace.shuffle(rng.getrandbits(32), joiners=1, leavers=1, changes=0).left
                stayed.difference_update(left)

        site.before = before
        connection = connect(db, site, page_size=5)
        report = connection.sync(workers=2)
        logins = {login for login, _ in picture(connection)}
        assert report.sync.status == "incomplete" or stayed <= logins


def test_the_last_total_is_the_one_that_came_last(db: Path) -> None:
    """With several readers pages come in any order: the total to meet is the newest, not that of the last page."""
    later_came = threading.Semaphore(0)

    def middle(cursor: Cursor) -> Page:
        assert later_came.acquire(timeout=10)
        return users("cy", "di", total=5, span=Span(3, 2, "cy", "di"))

    def end(cursor: Cursor) -> Page:
        threading.Timer(0.1, later_came.release).start()  # once this page was handed over
        return users("di", "ed", total=4, span=Span(4, 2, "di", "ed"))

    beginning = users("ada", "bo", "cy", total=4, span=Span(1, 3, "ada", "cy"))
    beginning = evolve(beginning, next=(Cursor("users", 1, 3), Cursor("users", 2, 4)))
    script = Script({None: first("users"), ("users", 0): beginning, ("users", 1): middle, ("users", 2): end})
    script.workers = 4  # two in flight, also where the pace was taken back by one
    report = script.connect(db).sync()
    assert (report.sync.status, report.sync.reason, report.counts.user) == ("complete", None, 5)
    assert script.asked.count(("users", 0)) == 2


def test_what_only_one_reading_gave_and_cannot_be_looked_up_is_no_proof(db: Path) -> None:
    """Where more rows differ between two readings than may be looked up, an equal count does not make it whole."""
    readings = [
        users("ada", "bo", "cy", total=4, span=Span(1, 3, "ada", "cy"), next=(Cursor("users", 1),)),
        users("ada", "bo", "di", total=4, span=Span(1, 3, "ada", "di"), next=(Cursor("users", 1),)),
    ]
    ends = [users("xx", total=4, span=Span(3, 1, "xx", "xx")), users("di", total=4, span=Span(3, 1, "di", "di"))]
    script = Script(
        {
            None: first("users"),
            ("users", 0): lambda cursor: readings.pop(0),
            ("users", 1): lambda cursor: ends.pop(0),
        }
    )
    report = script.connect(db, policy=SyncPolicy(max_lookups=1)).sync()
    assert report.sync.status == "incomplete" and "not all of them could be looked up" in str(report.sync.reason)


# -- totals and walks that lie --------------------------------------------------------------------------------------


@pytest.mark.parametrize("total", ["grand", "page", "absent"])
@pytest.mark.parametrize("page_size", [1, 2, 5])
def test_p03_every_page_is_the_first(db: Path, page_size: int, total: Any) -> None:
    """A server that ignores the index ends the walk by bringing nothing new, and the sync is not complete."""
    with Site(12, switches=Switches(index_paging_ignored=True, total=total)) as site:
        report = connect(db, site, page_size=page_size).sync()
        assert report.sync.status == "incomplete" and report.counts.user == page_size
        assert len(site.listings()) <= 2 * 12


def test_page_1_is_shown_past_the_end(db: Path) -> None:
    """One server answers page 1 past the end: nothing new, the walk is over, everybody is there."""

    def after(asked: Asked, document: Document) -> Document:
        if not document.get("Resources"):
            return {**document, "Resources": [{"id": "1", "userName": "ada@example.com"}]}
        return document

    with Site(0) as site:
        site.workspace.add("ada@example.com", id="1", role=True)
        site.after = after
        report = connect(db, site, page_size=5).sync()
        assert picture(connect(db, site)) == {("ada@example.com", "editor")} or report.sync.status == "incomplete"


def test_a_total_of_a_thousand_millions(db: Path) -> None:
    """A total that lies opens at most a window of cursors, and the first empty page closes them."""
    with Site(30) as site:
        site.after = lambda asked, document: {**document, "totalResults": 10**9}
        report = connect(db, site, page_size=10).sync(workers=8)
        assert report.sync.status == "incomplete" and report.counts.user == 30
        assert len(site.listings()) < 30


def test_an_error_behind_the_end_is_no_error(db: Path) -> None:
    """Pages asked for behind the end may be refused; once the end is known, that fails nothing."""
    script = Script(
        {
            None: first("users"),
            ("users", 0): users(
                "ada", "bo", "cy", total=90, span=Span(1, 3, "ada", "cy"),
                next=(Cursor("users", 1, 3), Cursor("users", 2, 5)),
            ),
            ("users", 1): Page(total=90, span=Span(3, 0, None, None)),
            ("users", 2): ApplicationError("there is no such page"),
        }
    )  # fmt: skip
    assert script.connect(db).sync().sync.status == "incomplete"
    assert ("users", 2) not in script.asked


def test_p06_a_total_without_rows_is_an_error(db: Path) -> None:
    """A token that may count but not see is an error, never an empty workspace."""
    with Site(30) as site:
        connect(db, site).sync()
        site.after = lambda asked, document: {**document, "Resources": []}
        with pytest.raises(ProtocolError) as caught:
            connect(db, site).sync()
        assert caught.value.report.sync.status == "failed"
        assert picture(connect(db, site)) == site.users()


def test_p06_holds_for_every_connector(db: Path) -> None:
    """The engine itself refuses a stream that counts people and shows none."""
    with pytest.raises(ProtocolError):
        Script({None: first("users"), ("users", 0): Page(total=3)}).connect(db).sync()


def test_p07_a_row_given_twice_is_one_account(db: Path) -> None:
    """Repeated rows inflate the total: everybody is in the picture once, and the sync is not called complete."""

    def after(asked: Asked, document: Document) -> Document:
        twice = [row for row in document["Resources"] for _ in range(2)]
        return {**document, "Resources": twice, "totalResults": 8, "itemsPerPage": 8} if asked.start == 1 else document

    with Site(4) as site:
        site.after = after
        report = connect(db, site, page_size=10).sync()
        assert report.counts.user == 4 and picture(connect(db, site)) == site.users()


def test_p16_a_list_that_never_ends_is_given_up(db: Path) -> None:
    """A server that has ever new rows on ever new pages fails the sync at the limit of pages."""
    endless = Script({None: first("users")})
    endless.pages = _Endless(endless.pages, lambda n: users(f"u{n}", next=(Cursor("users", n + 1),)))
    with pytest.raises(ApplicationError, match="did not end within 50 pages"):
        endless.connect(db, policy=SyncPolicy(max_pages=50)).sync()


def test_p16_empty_pages_without_end_are_cut_and_not_complete(db: Path) -> None:
    """Cursors may bring empty pages (P08), but not for ever; a walk that we cut off is not the end of the list."""
    endless = Script({None: first("users")})
    endless.pages = _Endless(
        endless.pages, lambda n: Page(next=(Cursor("users", n + 1),)) if n else users("a", next=(Cursor("users", 1),))
    )
    report = endless.connect(db).sync()
    assert report.sync.status == "incomplete" and "never said that its list had ended" in str(report.sync.reason)
    assert report.counts.user == 1 and len(endless.asked) < 250


@pytest.mark.parametrize("total", [1, 3, None, 10**9])
def test_p03_p35_rows_without_an_id_end_within_a_budget(db: Path, total: int | None) -> None:
    """A server that pages nothing, and gives rows that have no id, is not asked for the same a hundred times."""

    def nameless(asked: Asked, document: Document) -> Document:
        rows = [{"userName": "ada@example.com"}] * (3 if total == 3 else 1)
        return {"Resources": rows, **({} if total is None else {"totalResults": total})}

    with Site(3) as site:
        site.after = nameless
        report = connect(db, site, page_size=10).sync(workers=1)
        assert report.sync.status == "incomplete" and "rows could not be read" in str(report.sync.reason)
        assert len(site.listings()) < 30


class _Endless(dict[Any, Any]):
    def __init__(self, known: Any, make: Callable[[int], Page]) -> None:
        super().__init__(known)
        self._make = make

    def __missing__(self, where: tuple[str, int]) -> Page:
        return self._make(where[1])


def test_p08_empty_pages_in_the_middle_of_cursors(db: Path) -> None:
    """An empty page with a next cursor is no end."""
    script = Script(
        {
            None: first("users"),
            ("users", 0): users("ada", next=(Cursor("users", 1),)),
            ("users", 1): Page(next=(Cursor("users", 2),)),
            ("users", 2): Page(next=(Cursor("users", 3),)),
            ("users", 3): users("bo"),
        }
    )
    report = script.connect(db).sync()
    assert (report.sync.status, report.counts.user) == ("complete", 2)


@pytest.mark.parametrize("total", [None, 2])
def test_cursors_that_go_in_a_circle(db: Path, total: int | None) -> None:
    """A -> B -> A ends; it is complete only where the total says that everybody was there."""
    script = Script(
        {
            None: first("users"),
            ("users", 0): users("ada", next=(Cursor("users", 1),), total=total),
            ("users", 1): users("bo", next=(Cursor("users", 0),), total=total),
        }
    )
    report = script.connect(db).sync()
    assert report.counts.user == 2
    assert report.sync.status == ("complete" if total else "incomplete")


def test_p13_expired_cursors_begin_their_stream_anew(db: Path) -> None:
    """What expired is forgotten and read from the beginning, with the rows as they are then."""
    clock = FakeClock()
    with Site(12, switches=Switches(cursor_paging="only", cursor_timeout=60), clock=clock) as site:

        def before(asked: Asked) -> None:
            if asked.number == 3:
                clock.advance(61)
                site.workspace.remove(site.workspace.users()[0].id)

        site.before = before
        report = connect(db, site, page_size=3).sync()
        assert report.sync.status == "complete" and picture(connect(db, site)) == site.users()


@pytest.mark.parametrize("times, status", [(3, "complete"), (4, "failed")])
def test_p13_three_times_at_most(db: Path, times: int, status: str) -> None:
    """Three restarts are borne, the fourth fails the sync."""
    left = [times]

    def second(cursor: Cursor) -> Page:
        left[0] -= 1
        if left[0] >= 0:
            raise StreamExpired("the cursor has expired")
        return users("bo", total=2)

    pages = {
        None: first("users"),
        ("users", 0): users("ada", next=(Cursor("users", 1),), total=2),
        ("users", 1): second,
    }
    connection = Script(pages).connect(db)
    if status == "failed":
        with pytest.raises(StreamExpired):
            connection.sync()
    else:
        connection.sync()
    assert connection.syncs()[0].status == status


def test_p13_a_second_reading_that_expires_keeps_the_first(db: Path) -> None:
    """A cursor that expires in the second reading begins only that one anew."""
    left = [0]

    def zero(cursor: Cursor) -> Page:
        left[0] += 1
        return users("ada", next=(Cursor("users", 1),), total=left[0] + 1 if left[0] == 1 else 3)

    def one(cursor: Cursor) -> Page:
        if left[0] == 2:
            raise StreamExpired("the cursor has expired")
        return users("bo", "cy", total=3)

    script = Script({None: first("users"), ("users", 0): zero, ("users", 1): one})
    assert script.connect(db).sync().sync.status == "complete"
    assert [a for a in script.asked if a and a[1] == 0] == [("users", 0)] * 3


def test_p03_an_unreadable_row_does_not_keep_a_walk_alive(db: Path) -> None:
    """Every page is the first, and one row of it has no id: that row is not news, the walk ends."""
    again = users("ada", "bo", rejected=(Rejected(reason="no id"),))
    endless = Script({None: first("users")})
    endless.pages = _Endless(endless.pages, lambda n: evolve(again, next=(Cursor("users", n + 1),)))
    report = endless.connect(db).sync()
    assert (report.sync.status, report.rejected) == ("incomplete", 2) and len(endless.asked) < 10


def test_a_page_of_unreadable_rows_is_no_end(db: Path) -> None:
    """Rows without an id prove nothing about the pages behind them."""
    bad = tuple(Rejected(reason="no id") for _ in range(3))
    script = Script(
        {
            None: first("users"),
            ("users", 0): users("ada", next=(Cursor("users", 1),)),
            ("users", 1): Page(rejected=bad, next=(Cursor("users", 2),)),
            ("users", 2): users("bo"),
        }
    )
    report = script.connect(db).sync()
    assert (report.sync.status, report.rejected, report.counts.user) == ("incomplete", 3, 2)


def test_a_row_unreadable_in_both_readings_is_listed_in_both(db: Path) -> None:
    """A page of nothing but unreadable rows is as new in the second reading as it was in the first."""
    bad = tuple(Rejected(reason="bad", key=Key("user", f"x{n}")) for n in range(3))
    script = Script(
        {
            None: first("users"),
            ("users", 0): users("ada", next=(Cursor("users", 1),), total=9),
            ("users", 1): Page(rejected=bad, next=(Cursor("users", 2),), total=9),
            ("users", 2): users("bo", total=9),
        }
    )
    script.connect(db).sync()
    assert script.asked.count(("users", 2)) == 2


# -- streams that share resources -----------------------------------------------------------------------------------


def test_two_streams_that_list_the_same_people_are_judged_each(db: Path) -> None:
    """A resource that another stream listed before is new to this one: its walk goes on, and its total is met."""
    script = Script(
        {
            None: first("users", "admins"),
            ("users", 0): users("ada", "bo", "cy", total=3),
            ("admins", 0): users("ada", total=2, next=(Cursor("admins", 1),)),
            ("admins", 1): users("bo", total=2),
        }
    )
    report = script.connect(db).sync()
    assert (report.sync.status, report.sync.reason, report.counts.user) == ("complete", None, 3)
    assert len(script.asked) == len(set(script.asked)) == 4


def test_pages_of_grants_alone_are_walked_to_their_end(db: Path) -> None:
    """A stream of grants without resources goes on as long as it brings new grants, and ends when it brings none."""
    script = Script(
        {
            None: first("users", "grants"),
            ("users", 0): Page(resources=(user("ada"), user("bo")), total=2),
            ("grants", 0): Page(grants=(editor("ada"),), next=(Cursor("grants", 1),), total=2),
            ("grants", 1): Page(grants=(editor("bo"),), next=(), total=2),
        }
    )
    report = script.connect(db).sync()
    assert (report.sync.status, report.sync.reason, report.counts.grant) == ("complete", None, 2)


def test_a_rejected_row_makes_it_incomplete(db: Path) -> None:
    """One row that cannot be read: everybody else is in the picture, and the sync says what it lacks."""
    bad = Rejected(reason="userName is missing", key=Key("user", "bo"))
    report = Script({None: first("users"), ("users", 0): users("ada", rejected=(bad,), total=2)}).connect(db).sync()
    assert (report.sync.status, report.rejected, report.counts.user) == ("incomplete", 1, 1)
    assert "1 rows could not be read" in str(report.sync.reason)
