"""The removal guard: what would lose too much at once is held, and only what a person accepted by name may go."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from kit.sync import (
    Asked,
    Document,
    Script,
    Site,
    connect,
    dump,
    editor,
    first,
    group,
    member,
    membership,
    picture,
    rows,
    user,
    users,
)

from connector_core.model import Key, Page
from connector_core.store.losses import Losses
from connector_core.sync.guard import Guard
from connector_core.testing import Workspace

# -- the edges ------------------------------------------------------------------------------------------------------

EDGES = [  # lost, of, held
    (0, 0, False), (0, 100, False),
    (2, 2, False), (3, 3, True), (3, 4, False),  # all of at least 3
    (9, 30, False), (10, 30, True), (9, 9, True), (9, 10, False),  # at least 10
    (10, 50, False), (11, 50, True), (10, 49, True), (20, 100, False), (21, 100, True),  # over 20 %
    (500, 10_000, False), (501, 10_000, True),  # over 500
]  # fmt: skip


@pytest.mark.parametrize("lost, of, held", EDGES)
def test_the_limits_are_exactly_as_written(lost: int, of: int, held: bool) -> None:
    """Over 20 % and at least 10, or over 500, or all of at least 3: of accounts, and of grants on listed ones."""
    for losses in (
        Losses(unseen=lost, accounts=of, ended=0, grants=of),
        Losses(unseen=0, accounts=of, ended=lost, grants=of),
    ):
        assert (Guard().objection(losses, address_changed=False) is not None) == held


@pytest.mark.parametrize(
    "people, leavers, status",
    [(50, 10, "complete"), (50, 11, "held"), (3, 3, "held"), (2, 2, "complete"), (45, 9, "complete")],
)
def test_leavers_at_the_limit(db: Path, people: int, leavers: int, status: str) -> None:
    """Exactly 20 % may leave, one more is held; and a held sync changes nothing."""
    with Site(people) as site:
        connection = connect(db, site)
        connection.sync()
        before = picture(connection)
        for leaver in site.workspace.users()[:leavers]:
            site.workspace.remove(leaver.id)
        site.forget()
        report = connection.sync()
        assert report.sync.status == status
        assert picture(connection) == (before if status == "held" else site.users())
        assert len(site.lookups()) == (0 if status == "held" else leavers)  # the guard comes before any look-up


def test_everybody_a_viewer_is_held(db: Path) -> None:
    """Grants ended en masse on accounts still listed are held, as one wrong mapping could do it."""
    with Site(0) as site:
        for n in range(30):
            site.workspace.add(f"u{n}@example.com", role=n < 20)
        connection = connect(db, site)
        connection.sync()
        before = picture(connection)
        for person in site.workspace.users():
            site.workspace.set_role(person.id, False)
        report = connection.sync()
        assert report.sync.status == "held" and "20 of 30 grants" in str(report.sync.reason)
        assert picture(connection) == before
        assert connection.sync(accept_removals=True).sync.status == "complete"
        assert picture(connection) == site.users()


def test_everybody_disabled_is_held(db: Path) -> None:
    """Deactivated people end their grants: all at once is held."""
    with Site(12) as site:
        connection = connect(db, site)
        connection.sync()
        for person in site.workspace.users():
            site.workspace.replace(evolve(person, active=False))
        assert connection.sync().sync.status == "held"


# -- servers that show too little -----------------------------------------------------------------------------------


def hide(share: int) -> object:
    def after(asked: Asked, document: Document) -> Document:
        if asked.id is not None:
            return document
        shown = [r for n, r in enumerate(document["Resources"]) if n % share]
        return {**document, "Resources": shown, "totalResults": len(shown), "itemsPerPage": len(shown)}

    return after


def nobody(asked: Asked, document: Document) -> Document:
    return document if asked.id else {**document, "Resources": [], "totalResults": 0}


@pytest.mark.parametrize("people", [3, 30, 200])
@pytest.mark.parametrize(
    "trick", [nobody, hide(2), hide(3), hide(10)], ids=["nobody", "half", "two thirds", "nine tenths"]
)
def test_a_server_that_shows_too_few_for_one_sync_ends_no_grant(db: Path, people: int, trick: object) -> None:
    """An empty list, or a part of it, for one sync: the picture stays, and the next sync finds all as it was."""
    with Site(people) as site:
        connection = connect(db, site, page_size=1000)
        connection.sync()
        site.after = trick  # type: ignore[assignment]
        connection.sync()
        assert picture(connection) == site.users()
        site.after = lambda asked, document: document
        report = connection.sync()
        assert (report.sync.status, report.changes.total) == ("complete", 0)
        assert dump(db, "resource_history", "grant_history", "change_log") == [[], [], []]


def test_another_workspaces_people_end_no_grant(db: Path) -> None:
    """A token of another workspace shows other people: nobody of the right one leaves."""
    with Site(30) as site:
        connection = connect(db, site)
        connection.sync()
        before = picture(connection)
        served = site._app.app  # type: ignore[attr-defined]
        own, served.workspace = served.workspace, Workspace(seed=2)
        served.workspace.populate(30, seed=5)
        assert connection.sync().sync.status == "held"
        assert picture(connection) == before
        served.workspace = own
        assert connection.sync().sync.status == "complete"
        assert picture(connection) == before


# -- another address ------------------------------------------------------------------------------------------------


def test_another_address_holds_any_removal(db: Path) -> None:
    """After `base_url` changed not even one account may go unlooked at; a slash at its end is no change."""
    with Site(30) as site:
        connect(db, site).sync()
        assert connect(db, site.url + "/").sync().sync.status == "complete"
        site.workspace.remove(site.workspace.users()[0].id)
        moved = connect(db, site.url.replace("127.0.0.1", "localhost"))
        report = moved.sync()
        assert report.sync.status == "held" and "address" in str(report.sync.reason)
        assert moved.sync().sync.status == "held"
        assert moved.sync(accept_removals=True).sync.status == "complete"
        site.workspace.remove(site.workspace.users()[0].id)
        assert moved.sync().sync.status == "complete"
        assert picture(moved) == site.users()


def test_another_address_with_the_same_people_is_complete(db: Path) -> None:
    """Where nothing would leave there is nothing to hold."""
    with Site(30) as site:
        connect(db, site).sync()
        assert connect(db, site.url.replace("127.0.0.1", "localhost")).sync().sync.status == "complete"


# -- accepting ------------------------------------------------------------------------------------------------------


def test_accepting_accepts_exactly_those_named(db: Path) -> None:
    """What the held sync named may go; what went missing since is judged anew."""
    with Site(60) as site:
        connection = connect(db, site)
        connection.sync()
        people = site.workspace.users()
        for leaver in people[:20]:
            site.workspace.remove(leaver.id)
        assert connection.sync().sync.status == "held"
        for leaver in people[20:40]:
            site.workspace.remove(leaver.id)
        report = connection.sync(accept_removals=True)
        assert report.sync.status == "held" and "20 of 60 accounts" in str(report.sync.reason)
        assert connection.sync(accept_removals=True).sync.status == "complete"
        assert picture(connection) == site.users()


def test_accepting_without_a_held_sync_accepts_nothing(db: Path) -> None:
    """There is no switch that turns the guard off."""
    with Site(30) as site:
        connection = connect(db, site)
        connection.sync()
        for leaver in site.workspace.users()[:20]:
            site.workspace.remove(leaver.id)
        assert connection.sync(accept_removals=True).sync.status == "held"


def test_an_acceptance_is_used_up(db: Path) -> None:
    """After a published sync the names of an earlier held one count no more."""
    with Site(30) as site:
        connection = connect(db, site, page_size=1000)
        connection.sync()
        site.after = nobody
        assert connection.sync().sync.status == "held"
        site.after = lambda asked, document: document
        assert connection.sync().sync.status == "complete"
        site.after = nobody
        assert connection.sync(accept_removals=True).sync.status == "held"


def test_accepted_accounts_are_still_looked_up(db: Path) -> None:
    """Accepting says that they may go; whether they are gone only a look-up proves."""
    with Site(30) as site:
        connection = connect(db, site, page_size=1000)
        connection.sync()
        site.after = nobody
        assert connection.sync().sync.status == "held"
        site.forget()
        report = connection.sync(accept_removals=True)
        assert len(site.lookups()) == 30 and report.changes.removed == 0
        assert picture(connection) == site.users()


# -- beyond accounts ------------------------------------------------------------------------------------------------


def test_members_of_a_group_that_vanished_are_counted(db: Path) -> None:
    """A group that is not listed any more takes its memberships with it: that is many grants at once, so it is held."""
    names = [f"u{n}" for n in range(30)]
    pages = {
        None: first("users", "groups"),
        ("users", 0): users(*names),
        ("groups", 0): Page(
            resources=(group("g"),), entitlements=(membership("g"),), grants=tuple(member(n, "g") for n in names)
        ),
    }
    Script(pages).connect(db).sync()
    pages["groups", 0] = Page()
    gone = Script(pages)
    report = gone.connect(db).sync()
    assert report.sync.status == "held" and "30 of 60 grants" in str(report.sync.reason)
    report = gone.connect(db).sync(accept_removals=True)
    assert (report.sync.status, report.counts.grant, report.counts.entitlement) == ("complete", 30, 2)
    assert {r.resource_type for r in rows(gone.connect(db))} == {"role"}


def test_grants_that_looking_up_finds_ended_are_guarded_too(db: Path) -> None:
    """Few enough are unseen and few enough have ended; together with what the look-ups show it is too much."""
    names = [f"u{n}" for n in range(100)]
    Script({None: first("users"), ("users", 0): users(*names)}).connect(db).sync()
    hidden, demoted, rest = names[:15], names[15:30], names[30:]
    page = Page(resources=tuple(user(n) for n in demoted + rest), grants=tuple(editor(n) for n in rest))
    single = {Key("user", n): Page(resources=(user(n),)) for n in hidden}
    script = Script({None: first("users"), ("users", 0): page}, single=single)
    report = script.connect(db).sync()
    assert report.sync.status == "held" and "30 of 100 grants" in str(report.sync.reason)
    assert {r.role for r in rows(script.connect(db))} == {"editor"}


def test_a_held_sync_keeps_no_name_of_what_it_did_not_mean(db: Path) -> None:
    """A held sync publishes no joiner either: the picture is the one before, as a whole."""
    with Site(30) as site:
        connection = connect(db, site)
        connection.sync()
        before = rows(connection)
        for leaver in site.workspace.users()[:20]:
            site.workspace.remove(leaver.id)
        site.workspace.add("new@example.com", role=True)
        report = connection.sync()
        assert (report.sync.status, report.sync.event, report.changes.total) == ("held", None, 0)
        assert rows(connection) == before
