"""Defects that a reader found in the sync, each with the scenario that showed it."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kit.sync import (
    MEMBER,
    ROLES,
    Asked,
    Reply,
    Script,
    Site,
    connect,
    first,
    group,
    member,
    membership,
    messages,
    picture,
    user,
    users,
)

from connector_core.clock import SystemClock
from connector_core.errors import ApplicationError, PluginError, ProtocolError
from connector_core.model import Cursor, Entitlement, EntitlementKey, Key, Page, Rejected
from connector_core.store.connections import EntitlementRows, new_event
from connector_core.store.database import open_writer, transaction
from connector_core.store.follow import AccountSnapshot, Follower

NO_SUCH_USER = Reply(
    status=404,
    body=json.dumps({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "404", "detail": "no"}),
)


def test_the_guard_counts_what_was_looked_up_before_it(db: Path) -> None:
    """Accounts that only one of two readings listed, and that are gone when looked up, are losses like all others."""
    with Site(110) as site:
        connection = connect(db, site)
        connection.sync()
        site.forget()

        def emptied(asked: Asked, document: Any) -> Any:
            if asked.id is not None:
                return NO_SUCH_USER
            return document if asked.number == 1 else {**document, "Resources": [], "totalResults": 0}

        site.after = emptied
        report = connection.sync(workers=1)
        assert (report.sync.status, report.counts.user) == ("held", 110)
        assert connection.sync(workers=1, accept_removals=True).counts.user == 0


def test_an_operation_in_the_middle_leaves_a_sync_complete(db: Path) -> None:
    """An account that yields to an operation was listed all the same."""
    with Site(20) as site:
        connection = connect(db, site, page_size=5)
        connection.sync()
        site.forget()
        done: list[str] = []

        def grant(asked: Asked) -> None:
            if asked.id is None and asked.number == 3 and not done:
                someone = next(u for u in site.workspace.users() if not u.role)
                done.append(connect(db, site, page_size=5).grant("editor", someone.login).state)

        site.before = grant
        report = connection.sync(workers=1)
        assert (done, report.sync.status) == (["done"], "complete")


def test_pages_of_grants_yield_to_operations(db: Path) -> None:
    """A membership page asked for before an operation does not bring back, or end, what the operation verified."""
    script = Script({None: first("groups", "users")})
    script.pages["groups", 0] = Page(
        resources=(group("g"),), entitlements=(membership("g"),), grants=(member("bo", "g"),)
    )
    script.pages["users", 0] = users("bo", "al")
    connection = script.connect(db)
    connection.sync()

    def operations(cursor: Cursor) -> Page:
        """Between the page of members and the page of users, bo leaves the group and al joins it."""
        with closing(open_writer(db)) as writer, transaction(writer):
            for login, held in (("bo", frozenset()), ("al", frozenset({EntitlementKey("group", "g", MEMBER)}))):
                now = AccountSnapshot(key=Key("user", login), resource=user(login), held=held)
                Follower(writer, 1, SystemClock()).follow(new_event(writer, 1, "operation"), now)
        return Page(resources=(user("zz"),), next=(Cursor("users", 1),))

    script.pages["users", 0] = operations
    script.pages["users", 1] = users("bo", "al")
    assert connection.sync().sync.status == "complete"
    assert {row.user for row in connection.access() if row.role == "g"} == {user("al").login}


def test_an_entitlement_that_another_process_added_meanwhile(db: Path) -> None:
    """Operations go ahead during a sync, and may name an entitlement that the sync then reads."""
    script = Script({None: first("users")})
    script.pages["users", 0] = users("a", "b")
    connection = script.connect(db)
    connection.sync()

    def added(cursor: Cursor) -> Page:
        with closing(open_writer(db)) as writer, transaction(writer):
            assert EntitlementRows(writer, 1)[EntitlementKey("group", "new", MEMBER)]
        return Page(
            resources=(user("a"), user("b"), group("new")), entitlements=(membership("new"),),
            grants=(member("a", "new"),),
        )  # fmt: skip

    script.pages["users", 0] = added
    assert connection.sync().sync.status == "complete"
    assert [row.user for row in connection.access() if row.role == "new"] == [user("a").login]


@pytest.mark.parametrize("total", [10**30, "1" + "0" * 30])
def test_p12_a_total_that_no_number_holds(db: Path, total: object) -> None:
    """It says nothing: the list is read until it ends."""
    with Site(5) as site:
        site.after = lambda asked, document: {**document, "totalResults": total}
        report = connect(db, site).sync()
        assert (report.sync.status, report.counts.user) == ("complete", 5)


def test_the_picture_and_its_rows_are_of_one_moment(db: Path) -> None:
    """What is published between two looks of one reader is in neither."""
    with Site(3) as site:
        connection = connect(db, site)
        connection.sync()
        with connection._reading() as reader:
            picture = reader.picture()
            site.workspace.add("late@example.com", email="late@example.com", role=False)
            connection.sync()
            assert len(list(reader.access())) == 3
            assert reader.picture() == picture
        now, rows = connection.view()
        assert (now.event, len(rows)) == ((picture.event or 0) + 1, 4)


ODD = {
    "a tuple for a span": Page(resources=(user("ada"),), span=(1, 1, "ada", "ada")),  # type: ignore[arg-type]
    "a tuple for a key": Page(rejected=(Rejected(reason="x", key=("user", "a")),)),  # type: ignore[arg-type]
    "a tuple for a resource": Page(
        resources=ROLES,
        entitlements=(Entitlement(resource=("role", "viewer"), slug="x", name="X"),),  # type: ignore[arg-type]
    ),
    "a total of 10^30": Page(resources=(user("ada"),), total=10**30),
    "a broken total": Page(resources=(user("ada"),), total=1.5),  # type: ignore[arg-type]
    "an index of 10^30": Page(resources=(user("ada"),), next=(Cursor("users", 1, 10**30),)),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_page_that_no_store_can_take_is_the_plugins_fault(db: Path, odd: str) -> None:
    """Said as that, with its name; nothing of the page is kept, the old picture stands, the next sync is a new one."""
    script = Script({None: first("users"), ("users", 0): users("ada")})
    script.connect(db).sync()
    before = picture(script.connect(db))
    script.pages["users", 0] = ODD[odd]
    with pytest.raises(PluginError, match="the plugin script broke its contract") as caught:
        script.connect(db).sync()
    assert caught.value.report.sync.status == "failed"
    assert picture(script.connect(db)) == before
    script.pages["users", 0] = users("ada", "bo")
    report = script.connect(db).sync()
    assert (report.sync.status, report.sync.resumed, report.counts.user) == ("complete", False, 2)


def test_half_a_character_in_an_error_is_told_and_kept_without_it(db: Path) -> None:
    """Warnings, reasons and errors are for people to read: what cannot be written becomes a question mark."""
    rejected = Rejected(reason="bad\ud800")
    page = users("ada", warnings=("odd\ud800",), rejected=(rejected,))
    script = Script({None: first("users"), ("users", 0): page})
    connection = script.connect(db)
    assert connection.sync().sync.status == "incomplete"
    assert "odd?" in messages(connection) and "bad?" in messages(connection)
    script.pages["users", 0] = ApplicationError("down\ud800", hint="wait\ud800")
    with pytest.raises(ApplicationError, match=r"down\?"):
        script.connect(db).sync()
    assert script.connect(db).syncs()[0].reason == "down?"


def test_p13_a_cursor_that_cannot_be_sent_back_is_the_servers_fault(db: Path) -> None:
    """Half a character as nextCursor: a protocol error (exit 5), not a mistake of the program's."""
    with Site(3) as site:
        site.after = lambda asked, document: {**document, "nextCursor": "a\ud800"}
        with pytest.raises(ProtocolError, match="nextCursor"):
            connect(db, site).sync()
