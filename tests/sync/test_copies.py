"""Rows that come more than once in a list, and pages that cannot be kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from attrs import evolve
from kit.sync import Script, editor, first, group, member, membership, picture, rows, user, users, viewer

from connector_core.errors import PluginError, RowRejected, StreamExpired
from connector_core.model import Cursor, Entitlement, Key, Page, Span

BROKEN = "half a pair: \ud800"


def script(*pages: Page, more: tuple[str, ...] = ()) -> Script:
    """A connector whose list ``rows`` has these pages."""
    table = {("rows", n): page for n, page in enumerate(pages)}
    for n in range(len(pages) - 1):
        table["rows", n] = Page(
            resources=pages[n].resources, grants=pages[n].grants, entitlements=pages[n].entitlements,
            next=(Cursor("rows", n + 1),),
        )  # fmt: skip
    return Script({None: first("rows", *more), **table})


@pytest.mark.parametrize("earlier", [False, True])
def test_the_grants_of_a_person_on_two_pages_of_a_list_are_merged(db: Path, earlier: bool) -> None:
    """One list gives a person on two pages with a group on each: both are held, as if one page gave them."""
    groups = {"resources": (group("a"), group("b")), "entitlements": (membership("a"), membership("b"))}
    pages = (
        Page(
            resources=(user("ann"), *groups["resources"]), entitlements=groups["entitlements"],
            grants=(member("ann", "a"),),
        ),
        Page(resources=(user("ann"), user("bob")), grants=(member("ann", "b"), member("bob", "b"))),
    )  # fmt: skip
    held = {("ann@example.com", "a"), ("ann@example.com", "b"), ("bob@example.com", "b")}
    if earlier:
        together = Page(
            resources=(user("ann"), user("bob"), *groups["resources"]), entitlements=groups["entitlements"],
            grants=(member("ann", "a"), member("ann", "b"), member("bob", "b")),
        )  # fmt: skip
        script(together).connect(db).sync()
    connection = script(*pages).connect(db)
    for _ in range(2):
        report = connection.sync()
        assert (report.sync.status, report.changes.removed, picture(connection)) == ("complete", 0, held)
        assert all(row.confirmed for row in connection.access())


@pytest.mark.parametrize("on_one_page", [False, True])
def test_copies_that_contradict_each_other_are_named_and_end_nothing(db: Path, on_one_page: bool) -> None:
    """A person listed as an editor and again as a viewer keeps the earlier role, unconfirmed; that is named."""
    script(users("ann", "bob")).connect(db).sync()
    copies = [users("ann", "bob"), Page(resources=(user("cem"), user("ann")), grants=(viewer("ann"),))]
    if on_one_page:
        copies = [Page(resources=copies[0].resources + copies[1].resources, grants=copies[0].grants + copies[1].grants)]
    connector = script(*copies)
    connector.single[Key("user", "ann")] = RowRejected("unreadable")
    connection = connector.connect(db)
    report = connection.sync()
    assert (report.sync.status, report.rejected, report.changes.removed) == ("incomplete", 1, 0)
    assert "user:ann was listed twice with other content" in report.warnings[0]
    ann = [(row.role, row.confirmed) for row in connection.access() if row.user_id == "ann"]
    assert ann == [("editor", False)]


@pytest.mark.parametrize("copies", [2, 3])
def test_which_of_two_copies_that_exclude_each_other_is_so_is_read_by_id(db: Path, copies: int) -> None:
    """The role is the one that a read of the account shows, and no second."""
    as_viewer = Page(resources=(user("ann"),), grants=(viewer("ann"),))
    others = (evolve(as_viewer, resources=(user("ann"), user(f"new{n}"))) for n in range(1, copies))
    connector = script(users("ann", "bob"), *others)
    connector.single[Key("user", "ann")] = as_viewer
    connection = connector.connect(db)
    assert (connection.sync().sync.status, connection.sync().rejected) == ("incomplete", copies - 1)
    ann = [(row.role, row.confirmed) for row in connection.access() if row.user_id == "ann"]
    assert ann == [("viewer", True)]


def test_copies_with_other_fields_are_named(db: Path) -> None:
    """A person listed as enabled and again as disabled makes the sync incomplete."""
    connection = script(users("ann"), Page(resources=(user("ann", status="disabled"), user("bob")))).connect(db)
    report = connection.sync()
    assert (report.sync.status, report.rejected) == ("incomplete", 1)


def test_what_a_second_list_says_is_unknown_stands(db: Path) -> None:
    """Where another list gave a person first, a list that could not read the roles of that person ends none of them."""
    names = ("ann", "bob", "cem", "dan")
    group_list = Page(
        resources=(group("g"), *(user(n) for n in names)), entitlements=(membership("g"),),
        grants=tuple(member(n, "g") for n in names),
    )  # fmt: skip
    connector = Script({None: first("members", "users"), ("members", 0): group_list, ("users", 0): users(*names)})
    connection = connector.connect(db)
    connection.sync()
    some = tuple(editor(n) for n in names if n != "ann")
    connector.pages["users", 0] = users(*names, grants=some, unknown=(Key("user", "ann"),))
    assert connection.sync().changes.removed == 0
    assert [row.confirmed for row in rows(connection) if row.user_id == "ann" and row.role == "editor"] == [False]


def test_a_page_that_cannot_be_kept_is_given_up(db: Path) -> None:
    """A page whose commit fails each time is asked for three times, then given up; the other lists are read on."""
    connector = Script({
        None: first("users", "groups"), ("users", 0): users("ann"), ("groups", 0): Page(span=Span(2**70, 1, "a", "a")),
    })  # fmt: skip
    connection = connector.connect(db)
    assert connection.sync().sync.status == "incomplete"
    assert (connector.asked.count(("groups", 0)), len(picture(connection))) == (3, 1)


def test_a_value_that_no_store_takes_is_set_aside(db: Path) -> None:
    """A page with such a value is asked for once more in the second reading, and the sync is incomplete."""
    connector = Script({
        None: first("users", "groups"), ("users", 0): users("ann"),
        ("groups", 0): Page(entitlements=(Entitlement(resource=Key("role", "editor"), slug="x", name=BROKEN),)),
    })  # fmt: skip
    connection = connector.connect(db)
    assert connection.sync().sync.status == "incomplete"
    assert connector.asked.count(("groups", 0)) == 2


@pytest.mark.parametrize("name", ["", "*"])
def test_a_stream_may_not_bear_the_hosts_own_names(db: Path, name: str) -> None:
    """A connector whose stream is called as the host marks the beginning, or no stream, is refused by that name."""
    connector = Script({None: first("users"), ("users", 0): users("ann", next=(Cursor(name, 1),))})
    with pytest.raises(PluginError, match=re.escape(repr(name))):
        connector.connect(db).sync()


class _WithoutLookUps(Script):
    sync_resource = None  # type: ignore[assignment]


def test_a_list_that_was_not_read_leaves_its_people_without_look_ups_too(db: Path) -> None:
    """A connector that reads no single accounts: people of a list that was not begun stand, in an incomplete sync."""
    connector = _WithoutLookUps({
        None: first("users", "guests"), ("users", 0): users("ann", "bob", "cem", "dan"), ("guests", 0): users("gus"),
    })  # fmt: skip
    connection = connector.connect(db)
    connection.sync()
    connector.pages[None] = first("users")
    assert connection.sync().sync.status == "incomplete"
    assert ("gus@example.com", "editor") in picture(connection)


def test_who_another_list_gave_in_this_sync_does_not_leave(db: Path) -> None:
    """Where a list is restarted and gives a person no more, the person stands by the other list that gave them."""
    restarted: list[bool] = []

    def again(cursor: Cursor) -> Page:
        if expire and not restarted:
            restarted.append(True)
            raise StreamExpired("gone")
        return users("cem", "dan", "eve", "fay")

    def begin(cursor: Cursor) -> Page:
        return users("ann", *(() if restarted else ("bob",)), next=(Cursor("a", 1),))

    expire = False
    connector = _WithoutLookUps(
        {None: first("a", "b"), ("a", 0): begin, ("a", 1): again, ("b", 0): users("bob", "gus")}
    )
    connection = connector.connect(db)
    connection.sync()
    expire = True
    connection.sync()
    assert restarted and ("bob@example.com", "editor") in picture(connection)
