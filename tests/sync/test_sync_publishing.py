"""What a sync publishes, and when: all at once, nothing unproven, and unknown is never taken for absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.sync import (
    EDITOR,
    VIEWER,
    Asked,
    Document,
    Reply,
    Script,
    Site,
    changed,
    connect,
    dump,
    editor,
    first,
    opened,
    picture,
    rows,
    user,
    users,
    viewer,
)

from connector_core.errors import ApplicationError, CredentialsRefused, NoPicture, RowRejected, Unreachable
from connector_core.model import Cursor, Key, Page, Rejected
from connector_core.testing import Switches

# -- all at once ----------------------------------------------------------------------------------------------------


def test_views_show_published_syncs_only(db: Path) -> None:
    """While a sync runs, others see the picture of the one before, in every view, up to the last moment."""
    with Site(30) as site:
        connection = connect(db, site, page_size=5)
        connection.sync()
        views = ("access", "accounts", "changes")
        before = dump(db, *views)
        site.workspace.shuffle(3)
        seen: list[Any] = []
        site.before = lambda asked: seen.append(dump(db, *views))
        connection.sync()
        assert len(seen) > 5 and all(s == before for s in seen)
        assert dump(db, *views) != before


def test_a_running_sync_is_listed_as_running(db: Path) -> None:
    """`syncs` tells of a sync while it runs."""
    with Site(30) as site:
        connection = connect(db, site, page_size=5)
        seen: list[str] = []
        site.before = lambda asked: seen.append(connection.syncs()[0].status)
        connection.sync()
        assert set(seen) == {"running"} and connection.syncs()[0].status == "complete"


def test_before_the_first_publication_there_is_no_picture(db: Path) -> None:
    """A first sync that failed leaves no picture, rather than an empty one."""
    connection = Script({None: ApplicationError("down")}).connect(db)
    with pytest.raises(ApplicationError):
        connection.sync()
    with pytest.raises(NoPicture):
        connection.access()


@pytest.mark.parametrize("error", [ApplicationError("500"), CredentialsRefused("401"), ValueError("a bug")])
def test_a_failed_sync_publishes_nothing(db: Path, error: Exception) -> None:
    """Whatever was read before it failed, the picture stays as it was."""
    good = {None: first("users"), ("users", 0): users("ada", "bo")}
    Script(good).connect(db).sync()
    before = dump(
        db, "access", "accounts", "changes", "current_resources", "grants", "resource_history", "grant_history"
    )
    bad = Script({None: first("users"), ("users", 0): users("cy", next=(Cursor("users", 1),)), ("users", 1): error})
    connection = bad.connect(db)
    with pytest.raises(Exception) as caught:
        connection.sync()
    assert caught.value.report.sync.status == connection.syncs()[0].status == "failed"  # type: ignore[attr-defined]
    assert caught.value.report.error.message in str(caught.value)  # type: ignore[attr-defined]
    after = dump(
        db, "access", "accounts", "changes", "current_resources", "grants", "resource_history", "grant_history"
    )
    assert after == before


def test_entitlements_change_with_the_publication(db: Path) -> None:
    """What an entitlement is, is published with the sync that read it, not while it is read."""
    script = Script({None: first("users"), ("users", 0): users("ada")})
    script.connect(db).sync()
    script.entitlements = tuple(evolve(e, name="New name") for e in script.entitlements)
    script.pages["users", 0] = ApplicationError("down")
    with pytest.raises(ApplicationError):
        script.connect(db).sync()
    with opened(db) as connection:
        assert {r[0] for r in connection.execute("SELECT name FROM known_entitlements")} == {"Editor", "Viewer"}
    script.pages["users", 0] = users("ada")
    script.connect(db).sync()
    with opened(db) as connection:
        assert {r[0] for r in connection.execute("SELECT name FROM known_entitlements")} == {"New name"}


# -- incomplete -----------------------------------------------------------------------------------------------------


def test_incomplete_publishes_additions_and_alterations(db: Path) -> None:
    """A sync with holes brings joiners, renames and swaps, and ends no grant that it did not see ended."""
    Script({None: first("users"), ("users", 0): users("ada", "bo", "cy")}).connect(db).sync()
    holes = Script(
        {
            None: first("users"),
            ("users", 0): Page(
                resources=(user("ada", login="ada@new.example.com"), user("bo"), user("di")),
                grants=(editor("ada"), viewer("bo"), editor("di")), total=9,
            ),
        },
        single={Key("user", "cy"): ApplicationError("500")},
    )  # fmt: skip
    report = holes.connect(db).sync()
    assert report.sync.status == "incomplete"
    assert picture(holes.connect(db)) == {
        ("ada@new.example.com", "editor"), ("bo@example.com", "viewer"), ("di@example.com", "editor"),
        ("cy@example.com", "editor"),
    }  # fmt: skip


def test_incomplete_ends_what_is_proven_gone(db: Path) -> None:
    """In a stream that did not add up a look-up by id still proves a single account gone, and only that one."""
    with Site(30) as site:
        connection = connect(db, site)
        connection.sync()
        site.workspace.remove(site.workspace.users()[3].id)
        hidden = site.workspace.users()[5].id

        def after(asked: Asked, document: Document) -> Document:
            if asked.id is None:
                document["Resources"] = [r for r in document["Resources"] if r["id"] != hidden]
            return document

        site.after = after
        report = connection.sync()
        assert (report.sync.status, report.changes.removed) == ("incomplete", 2)
        assert picture(connection) == site.users()


def test_incomplete_ends_a_grant_that_its_holders_own_row_disproves(db: Path) -> None:
    """Holes elsewhere do not keep alive what a row no longer gives that is said to give all grants of its account."""
    Script({None: first("users"), ("users", 0): users("ada", "bo")}).connect(db).sync()
    disabled = Page(resources=(user("ada", status="disabled"), user("bo")), grants=(editor("bo"),), total=9)
    holes = Script({None: first("users"), ("users", 0): disabled})
    assert holes.connect(db).sync().sync.status == "incomplete"
    assert ("ada@example.com", "editor") in picture(holes.connect(db))
    holes.types = (evolve(holes.types[0], grants="with_resource"), *holes.types[1:])
    assert holes.connect(db).sync().sync.status == "incomplete"
    assert picture(holes.connect(db)) == {("ada@example.com", None), ("bo@example.com", "editor")}


def test_a_grant_that_only_a_look_up_gave_ends_when_everything_was_read_without_it(db: Path) -> None:
    """What no stream gave is ended by no single stream, but by a sync in which all of them add up."""
    pages: dict[Any, Any] = {None: first("users"), ("users", 0): users("ada", "bo", grants=())}
    Script(pages).connect(db).sync()
    unlisted = {**pages, ("users", 0): users("ada", grants=(), total=1)}
    found = {Key("user", "bo"): users("bo")}
    connection = Script(unlisted, single=found).connect(db)
    connection.sync()
    assert picture(connection) == {("ada@example.com", None), ("bo@example.com", "editor")}
    Script({**pages, ("users", 0): users("ada", "bo", grants=(), total=9)}).connect(db).sync()
    assert ("bo@example.com", "editor") in picture(connection)
    Script(pages).connect(db).sync()
    assert picture(connection) == {("ada@example.com", None), ("bo@example.com", None)}


def test_a_grant_of_a_stream_that_was_cut_stands(db: Path) -> None:
    """A missing page of grants ends none of them, although their holders were read."""
    pages: dict[Any, Any] = {
        None: first("users", "grants"),
        ("users", 0): Page(resources=(user("ada"), user("bo")), total=2),
        ("grants", 0): Page(grants=(editor("ada"), editor("bo")), total=2),
    }
    Script(pages).connect(db).sync()
    pages["grants", 0] = Page(grants=(editor("ada"),), total=2)
    report = Script(pages).connect(db).sync()
    assert report.sync.status == "incomplete" and report.counts.grant == 2
    pages["grants", 0] = Page(grants=(editor("ada"),), total=1)
    report = Script(pages).connect(db).sync()
    assert (report.sync.status, report.counts.grant, report.changes.removed) == ("complete", 1, 1)


def test_a_grant_beside_its_holder_may_come_on_another_page(db: Path) -> None:
    """A stream that lists people and their grants on different pages ends nothing while it does not add up."""
    pages: dict[Any, Any] = {
        None: first("all"),
        ("all", 0): Page(resources=(user("ada"), user("bo")), next=(Cursor("all", 1),), total=2),
        ("all", 1): Page(grants=(editor("ada"), editor("bo"))),
    }
    Script(pages).connect(db).sync()
    pages["all", 0] = Page(resources=(user("ada"),), next=(), total=2)
    report = (
        Script(pages, single={Key("user", "bo"): Page(resources=(user("bo"),), grants=(editor("bo"),))})
        .connect(db)
        .sync()
    )
    assert (report.sync.status, report.counts.grant) == ("incomplete", 2)


# -- looking up -----------------------------------------------------------------------------------------------------


def test_every_unseen_account_is_looked_up_by_its_id(db: Path) -> None:
    """Each leaver is asked for by id, nobody else is, and those who are there after all stay."""
    with Site(30) as site:
        connection = connect(db, site)
        connection.sync()
        gone = {u.id for u in site.workspace.users()[:3]}
        for id in gone:
            site.workspace.remove(id)
        site.forget()
        assert connection.sync().sync.status == "complete"
        assert sorted(site.lookups()) == sorted(gone)
        assert picture(connection) == site.users()


def test_p55_an_html_404_is_no_proof(db: Path) -> None:
    """A web page with status 404 ends nobody: the sync is incomplete, and the account stands with its grant."""
    with Site(30) as site:
        connection = connect(db, site)
        connection.sync()
        before = picture(connection)
        hidden = site.workspace.users()[5].id

        def after(asked: Asked, document: Document) -> Document | Reply:
            if asked.id is not None:
                return Reply(status=404, body="<h1>Not Found</h1>", content_type="text/html")
            rows = [r for r in document["Resources"] if r["id"] != hidden]
            return {**document, "Resources": rows, "totalResults": len(rows)}

        site.after = after
        report = connection.sync()
        assert report.sync.status == "incomplete" and "could not be looked up" in str(report.sync.reason)
        assert picture(connection) == before and report.changes.total == 0


@pytest.mark.parametrize("answer", [Page(), users("somebody-else"), RowRejected("no userName")], ids=repr)
def test_a_look_up_that_brings_something_else_is_no_proof(db: Path, answer: Any) -> None:
    """An empty page, another account or an unreadable row proves nothing about the account asked for."""
    Script({None: first("users"), ("users", 0): users("ada", "bo")}).connect(db).sync()
    script = Script({None: first("users"), ("users", 0): users("ada", total=1)}, single={Key("user", "bo"): answer})
    report = script.connect(db).sync()
    assert report.sync.status == "incomplete" and report.warnings
    assert ("bo@example.com", "editor") in picture(script.connect(db))


def test_a_look_up_is_given_the_resource_as_last_seen(db: Path) -> None:
    """The connector may need more than the id: it is handed the account as the picture has it."""
    bo = user("bo", name="Bo", email="bo@example.com", profile={"team": "blue"}, parent=Key("group", "a:b"))
    Script({None: first("users"), ("users", 0): Page(resources=(user("ada"), bo))}).connect(db).sync()
    script = Script({None: first("users"), ("users", 0): users("ada", total=1)})
    script.connect(db).sync()
    assert script.asked[-1] == bo


def test_a_look_up_of_a_newcomer_is_given_what_this_sync_read(db: Path) -> None:
    """Whoever only one of two readings listed may be in no picture yet: the connector is handed the row just read."""
    bo = user("bo", name="Bo")
    listings = [Page(resources=(user("ada"), bo), total=3), Page(resources=(user("ada"),), total=1)]
    script = Script({None: first("users"), ("users", 0): lambda cursor: listings.pop(0)})
    script.connect(db).sync()
    assert script.asked[-1] == bo


def test_when_the_application_falls_silent_looking_up_is_given_up(db: Path) -> None:
    """Look-ups that time out are not gone through one by one for hours; what is unproven stands."""
    names = [f"u{n}" for n in range(40)]
    Script({None: first("users"), ("users", 0): users(*names)}).connect(db).sync()
    silent = {Key("user", n): Unreachable("no answer") for n in names}
    script = Script({None: first("users"), ("users", 0): users(*names[8:], total=32)}, single=silent)
    report = script.connect(db).sync()
    assert (report.sync.status, report.counts.user) == ("incomplete", 40)
    assert sum(1 for a in script.asked if not isinstance(a, tuple | None)) == 1


def test_a_refused_token_stops_looking_up(db: Path) -> None:
    """Credentials refused at a look-up fail the sync; nothing is published (P72)."""
    Script({None: first("users"), ("users", 0): users("ada", "bo")}).connect(db).sync()
    refused = {Key("user", "bo"): CredentialsRefused("401")}
    script = Script({None: first("users"), ("users", 0): users("ada", total=1)}, single=refused)
    with pytest.raises(CredentialsRefused):
        script.connect(db).sync()


def test_a_connector_that_cannot_look_up_needs_a_whole_listing(db: Path) -> None:
    """Without `sync_resource` who is missing from a whole listing is gone; from one with an unreadable row, nobody."""

    class Bare(Script):
        sync_resource = None  # type: ignore[assignment]

    Bare({None: first("users"), ("users", 0): users("ada", "bo", "cy")}).connect(db).sync()
    unreadable = users("ada", "cy", rejected=(Rejected(reason="no id"),))
    report = Bare({None: first("users"), ("users", 0): unreadable}).connect(db).sync()
    assert (report.sync.status, report.counts.user, report.rejected) == ("incomplete", 3, 1)
    report = Bare({None: first("users"), ("users", 0): users("ada", "cy")}).connect(db).sync()
    assert (report.sync.status, report.counts.user, report.changes.removed) == ("complete", 2, 2)


# -- unknown is not absent ------------------------------------------------------------------------------------------


def test_an_unreadable_role_leaves_the_earlier_grant_unconfirmed(db: Path) -> None:
    """Roles that cannot be read end and grant nothing; earlier ones stand, unconfirmed; one warning counts them."""
    with Site(12) as site:
        connection = connect(db, site)
        connection.sync()
        before = {(r.user, r.role) for r in rows(connection)}

        def hide(asked: Asked, document: Document) -> Document:
            for row in document.get("Resources", [document]):
                row.pop(site.switches.extension, None)
            return document

        site.after = hide
        site.workspace.add("new@example.com", role=True)
        report = connection.sync()
        now = rows(connection)
        assert {(r.user, r.role) for r in now} == before | {("new@example.com", None)}
        assert {r.confirmed for r in now if r.role} == {False}
        assert [w for w in report.warnings if "13 accounts" in w] and len(report.warnings) == 1
        assert report.changes.added == 1 and report.sync.status == "complete"
        since = {r.since for r in now if r.role}
        site.after = lambda asked, document: document
        connection.sync()
        assert picture(connection) == site.users()
        assert {r.confirmed for r in rows(connection)} == {True}
        assert {r.since for r in rows(connection) if r.user != "new@example.com"} == since


def test_what_was_not_read_is_not_confirmed(db: Path) -> None:
    """An unconfirmed grant of an account that this sync could not find stays unconfirmed."""
    Script({None: first("users"), ("users", 0): users("ada", "bo")}).connect(db).sync()
    Script({None: first("users"), ("users", 0): users("ada", "bo", grants=(), unknown=(Key("user", "bo"),))}).connect(
        db
    ).sync()
    lost = Script(
        {None: first("users"), ("users", 0): users("ada", total=1)}, single={Key("user", "bo"): ApplicationError("500")}
    )
    lost.connect(db).sync()
    assert {(r.user_id, r.confirmed) for r in rows(lost.connect(db)) if r.role} == {("ada", True), ("bo", False)}


def test_a_disabled_account_holds_no_role(db: Path) -> None:
    """Somebody listed as inactive loses the role with one change of status and one of the grant (W17)."""
    with Site(12) as site:
        connection = connect(db, site)
        connection.sync()
        user = site.workspace.users()[0]
        site.workspace.replace(evolve(user, active=False))
        connection.sync()
        role = "role:editor:assigned" if user.role else "role:viewer:assigned"
        assert changed(connection) == [
            ("changed", user.login, "status", "enabled", "disabled"), ("removed", user.login, "grant", role, None),
        ]  # fmt: skip
        assert picture(connection) == site.users()


def test_p35_a_rejected_row_keeps_its_earlier_version(db: Path) -> None:
    """One malformed row counts as seen: nobody looks it up, its grant stands unconfirmed, and leavers leave."""
    with Site(12) as site:
        connection = connect(db, site)
        connection.sync()
        bad, leaver = site.workspace.users()[2], site.workspace.users()[3]
        site.workspace.remove(leaver.id)

        def after(asked: Asked, document: Document) -> Document:
            for row in document.get("Resources", []):
                if row["id"] == bad.id:
                    del row["userName"]
            return document

        site.after = after
        site.forget()
        report = connection.sync()
        assert (report.sync.status, report.rejected, site.lookups()) == ("incomplete", 1, [leaver.id])
        assert picture(connection) == site.users()
        assert {r.user for r in rows(connection) if not r.confirmed} == {bad.login}


def test_p14_w14_an_invited_account_may_stay_invisible_for_30_days(db: Path) -> None:
    """An account that our journal created is not looked up nor ended while it is not listed yet."""
    from connector_core.testing import FakeClock

    clock = FakeClock()
    script = Script({None: first("users"), ("users", 0): users("ada")})
    connection = script.connect(db, clock=clock)
    connection.sync()
    invite(db, "bo", clock)
    assert connection.sync().counts.user == 2
    for days in (7, 7, 7, 8):
        clock.advance(days * 86_400)
        assert connection.sync().counts.user == 2
    clock.advance(2 * 86_400)
    assert connection.sync().counts.user == 1


def invite(db: Path, name: str, clock: Any) -> None:
    """As the journal and the picture stand after an operation created an account that is not listed yet."""
    from connector_core.clock import rfc3339
    from connector_core.store.connections import new_event, publish_event

    with opened(db) as connection:
        now = rfc3339(clock.now())
        operation = new_event(connection, 1, "operation")
        connection.execute(
            "INSERT INTO journal (id, connection, kind, state, outcome, type, account, login, who, created, finished, "
            "holder) VALUES (?, 1, 'create_account', 'done', 'changed', 'user', ?, ?, 'me', ?, ?, '')",
            (operation, name, f"{name}@example.com", now, now),
        )
        event = publish_event(connection, 1, operation, "operation", now)
        connection.execute(
            "INSERT INTO current_resources (connection, type, id, login, status, profile, began) "
            "VALUES (1, 'user', ?, ?, 'pending', '{}', ?)", (name, f"{name}@example.com", event),
        )  # fmt: skip


# -- operations win over pages asked for earlier --------------------------------------------------------------------


@pytest.mark.parametrize("page, expected", [(0, "viewer"), (1, "editor")])
def test_an_operation_wins_over_a_page_asked_for_earlier(db: Path, page: int, expected: str) -> None:
    """What an operation verified while a page was under way stands; a page asked for afterwards stands against it."""
    script = Script(
        {None: first("users"), ("users", 0): users("ada", next=(Cursor("users", 1),)), ("users", 1): users("bo")}
    )
    script.connect(db).sync()

    def during(cursor: Cursor) -> Page:
        operate(db, "bo" if page else "ada")
        return users("ada", next=(Cursor("users", 1),))

    script.pages["users", 0] = during
    script.connect(db).sync()
    assert {r.user_id: r.role for r in rows(script.connect(db))}["bo" if page else "ada"] == expected


def test_an_account_that_an_operation_deleted_meanwhile_stays_deleted(db: Path) -> None:
    """A page that still lists the account was asked for before it was deleted: it brings it not back."""
    script = Script({None: first("users"), ("users", 0): users("ada", "bo")})
    script.connect(db).sync()

    def during(cursor: Cursor) -> Page:
        with opened(db) as connection:
            connection.execute("DELETE FROM current_resources WHERE id = 'bo'")
            connection.execute("DELETE FROM grants WHERE principal_id = 'bo'")
            connection.execute("INSERT OR REPLACE INTO touched VALUES (1, 'user', 'bo', 7)")
        return users("ada", "bo")

    script.pages["users", 0] = during
    assert script.connect(db).sync().counts.user == 1


def test_an_account_created_meanwhile_is_not_missing(db: Path) -> None:
    """An account that an operation created during the sync is neither looked up nor ended by it."""
    script = Script({None: first("users"), ("users", 0): users("ada")})
    script.connect(db).sync()

    def during(cursor: Cursor) -> Page:
        with opened(db) as connection:
            connection.execute(
                "INSERT INTO current_resources (connection, type, id, login, status, profile, began) "
                "VALUES (1, 'user', 'bo', 'bo@example.com', 'enabled', '{}', 1)"
            )
            connection.execute("INSERT OR REPLACE INTO touched VALUES (1, 'user', 'bo', 7)")
        return users("ada")

    script.pages["users", 0] = during
    assert script.connect(db).sync().counts.user == 2


def operate(db: Path, name: str) -> None:
    """As the picture stands after an operation made an editor a viewer."""
    with opened(db) as connection:
        number = {
            tuple(r)[1:]: r[0] for r in connection.execute("SELECT id, type, resource_id, slug FROM known_entitlements")
        }
        connection.execute(
            "UPDATE grants SET entitlement = ? WHERE principal_id = ? AND entitlement = ?",
            (number[tuple(VIEWER)], name, number[tuple(EDITOR)]),
        )
        connection.execute("INSERT OR REPLACE INTO touched VALUES (1, 'user', ?, 7)", (name,))


def test_p19_roles_that_are_never_shown(db: Path) -> None:
    """A hidden role by the stand-in's own switch is unknown, too (P19)."""
    with Site(5, switches=Switches(hide_role=True)) as site:
        report = connect(db, site).sync()
        assert (report.counts.user, report.counts.grant, len(report.warnings)) == (5, 0, 1)
