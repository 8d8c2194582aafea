"""What ends a grant, and what does not: nothing true ends because a list, a row or an answer is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.sync import (
    MEMBER,
    Script,
    editor,
    first,
    group,
    member,
    membership,
    opened,
    rows,
    user,
    users,
)

from connector_core.errors import (
    ApplicationError,
    ConnectorCoreError,
    CredentialsRefused,
    ProtocolError,
    RowRejected,
    StreamExpired,
    Unreachable,
)
from connector_core.hookspecs import hookimpl
from connector_core.model import Cursor, EntitlementKey, Grant, Key, Outcome, Page, Rejected, SyncReport
from connector_core.store.connections import new_event
from connector_core.store.database import transaction
from connector_core.store.follow import AccountSnapshot, Follower
from connector_core.testing import FakeClock

G, H = Key("group", "G"), Key("group", "H")
PEOPLE = ("a", "b", "c", "d")
HELD = {("a", "G"), ("b", "G"), ("c", "H"), ("d", "H")}


def world() -> dict[Any, Any]:
    """People, and groups whose members are listed each by a stream of its own."""
    return {
        None: first("users", "groups"),
        ("users", 0): Page(resources=tuple(user(n) for n in PEOPLE), total=4),
        ("groups", 0): Page(
            resources=(group("G"), group("H")), entitlements=(membership("G"), membership("H")),
            next=(Cursor("in:G", 0), Cursor("in:H", 0)), total=2,
        ),
        ("in:G", 0): Page(grants=(member("a", "G"), member("b", "G"))),
        ("in:H", 0): Page(grants=(member("c", "H"), member("d", "H"))),
    }  # fmt: skip


def synced(
    db: Path, pages: dict[Any, Any], *, single: dict[Key, Page] | None = None, gives_all: bool = False
) -> tuple[SyncReport, Script]:
    """A sync of a script in which people read by their id are there, without any grant."""
    people = {Key("user", n): Page(resources=(user(n),)) for n in PEOPLE}
    script = Script(pages, single={**people, **(single or {})})
    if gives_all:
        script.types = (evolve(script.types[0], grants="with_resource"), *script.types[1:])
    return script.connect(db).sync(), script


def held(db: Path) -> set[tuple[str, str | None]]:
    return {(r.user_id, r.role) for r in rows(Script({}).connect(db)) if r.role}


def unconfirmed(db: Path) -> set[tuple[str, str | None]]:
    return {(r.user_id, r.role) for r in rows(Script({}).connect(db)) if r.role and not r.confirmed}


# -- a stream that is not whole -------------------------------------------------------------------------------------

HOLES: dict[str, Any] = {
    "rejected, the group named": Page(rejected=(Rejected(reason="forbidden", key=G),)),
    "rejected, nothing named": Page(rejected=(Rejected(reason="forbidden"),)),
    "a member rejected": Page(grants=(member("b", "G"),), rejected=(Rejected(reason="odd", key=Key("user", "a")),)),
    "a warning": Page(warnings=("forbidden",)),
    "counted and not shown": Page(total=2),
    "no answer": Unreachable("timed out"),
    "an error": ApplicationError("500"),
    "not the protocol": ProtocolError("a web page"),
    "a row that cannot be read": RowRejected("no id"),
    "a fault of the plugin": ValueError("a bug"),
    "expired": StreamExpired("too old"),
}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
def test_a_child_stream_with_a_hole_ends_nothing(db: Path, hole: Any) -> None:
    """What it gave before stands, unconfirmed; the sync is incomplete; the other streams are read and end grants."""
    synced(db, world())
    pages = world()
    pages["in:G", 0] = hole
    pages["in:H", 0] = Page(grants=(member("c", "H"),))
    report, _ = synced(db, pages)
    assert report.sync.status == "incomplete" and report.sync.reason
    assert held(db) == HELD - {("d", "H")}
    assert unconfirmed(db) >= {("a", "G")} and ("c", "H") not in unconfirmed(db)
    report, _ = synced(db, world())
    assert (report.sync.status, held(db), unconfirmed(db)) == ("complete", HELD, set())


@pytest.mark.parametrize("failures, status", [(1, "complete"), (2, "complete"), (3, "incomplete")])
def test_a_page_that_is_not_answered_is_asked_for_again_after_all_others(db: Path, failures: int, status: str) -> None:
    """Three times in all; what is answered by then is as good as at once."""
    pages, left = world(), [ApplicationError("500")] * failures

    def reluctant(cursor: Cursor) -> Page:
        if left:
            raise left.pop()
        return Page(grants=(member("a", "G"), member("b", "G")))

    pages["in:G", 0] = reluctant
    report, script = synced(db, pages)
    assert report.sync.status == status
    assert script.asked[:5] == [None, ("users", 0), ("groups", 0), ("in:G", 0), ("in:H", 0)]
    assert script.asked.count(("in:G", 0)) == min(failures + 1, 3)


def test_the_first_stream_fails_the_sync(db: Path) -> None:
    """Where reading begins, and the first stream that it hands out: without them nothing was read."""
    synced(db, world())
    for where in (None, ("users", 0)):
        with pytest.raises(ApplicationError):
            synced(db, {**world(), where: ApplicationError("500")})
    assert held(db) == HELD


def test_credentials_refused_by_a_child_stream_fail_the_sync(db: Path) -> None:
    """They stop the whole run at once (P72)."""
    with pytest.raises(CredentialsRefused):
        synced(db, {**world(), ("in:H", 0): CredentialsRefused("401")})


def test_an_application_that_falls_silent_fails_the_sync(db: Path) -> None:
    """Child streams are not given up one by one for hours."""
    names = [f"g{n}" for n in range(40)]
    pages: dict[Any, Any] = {
        None: first("users", "groups"),
        ("users", 0): users("a"),
        ("groups", 0): Page(next=tuple(Cursor(n, 0) for n in names)),
        **{(n, 0): Unreachable("no answer") for n in names},
    }
    script = Script(pages)
    with pytest.raises(Unreachable):
        script.connect(db).sync()
    assert len(script.asked) < 60


def test_people_of_a_stream_without_an_answer_are_not_missing(db: Path) -> None:
    """They are neither counted by the guard nor looked up: nothing says that they left."""
    names = [f"u{n}" for n in range(30)]
    pages: dict[Any, Any] = {
        None: first("users", "more"),
        ("users", 0): users("a", "b"),
        ("more", 0): users(*names),
    }
    synced(db, pages)
    report, script = synced(db, {**pages, ("more", 0): ApplicationError("500")})
    assert (report.sync.status, report.counts.user, report.counts.grant) == ("incomplete", 32, 32)
    assert all(isinstance(asked, tuple | None) for asked in script.asked)


# -- a stream that was not read at all ------------------------------------------------------------------------------


def test_a_group_whose_own_row_cannot_be_read_keeps_its_members(db: Path) -> None:
    """Its members were not listed, so nothing is known against them."""
    synced(db, world())
    pages = world()
    pages["groups", 0] = Page(
        resources=(group("H"),), entitlements=(membership("H"),), next=(Cursor("in:H", 0),), total=2,
        rejected=(Rejected(reason="no name", key=G),),
    )  # fmt: skip
    report, _ = synced(db, pages)
    assert (report.sync.status, held(db)) == ("incomplete", HELD)
    assert unconfirmed(db) == {("a", "G"), ("b", "G")}


def test_a_stream_that_is_not_begun_ends_nothing(db: Path) -> None:
    """A group that is listed without its members' cursor keeps them; the sync says which stream is missing."""
    synced(db, world())
    pages = world()
    pages["groups", 0] = evolve(pages["groups", 0], next=(Cursor("in:H", 0),))
    report, _ = synced(db, pages)
    assert report.sync.status == "incomplete" and "in:G: not read" in str(report.sync.reason)
    assert (held(db), unconfirmed(db)) == (HELD, {("a", "G"), ("b", "G")})


def test_a_group_that_is_gone_takes_its_members_grants_with_it(db: Path) -> None:
    """Its stream is not read any more, and nothing is missing."""
    synced(db, world())
    pages = world()
    pages["groups", 0] = Page(
        resources=(group("H"),), entitlements=(membership("H"),), next=(Cursor("in:H", 0),), total=1
    )
    report, _ = synced(db, pages)
    assert (report.sync.status, held(db)) == ("complete", {("c", "H"), ("d", "H")})


def test_a_grant_belongs_to_the_stream_that_gave_it_last(db: Path) -> None:
    """Streams that are named otherwise, or give what another one gave, take the grant over."""
    synced(db, world())
    pages = world()
    pages["groups", 0] = evolve(pages["groups", 0], next=(Cursor("members:G", 0), Cursor("in:H", 0)))
    pages["members:G", 0] = pages.pop(("in:G", 0))
    report, _ = synced(db, pages)
    assert (report.sync.status, held(db), report.changes.total) == ("complete", HELD, 0)
    pages["members:G", 0] = ApplicationError("500")
    assert (synced(db, pages)[0].sync.status, held(db)) == ("incomplete", HELD)
    pages["members:G", 0] = Page(grants=(member("a", "G"),))
    report, _ = synced(db, pages)
    assert (report.sync.status, held(db)) == ("complete", HELD - {("b", "G")})


def test_a_grant_that_two_streams_give_ends_when_both_were_read_without_it(db: Path) -> None:
    """One of them alone proves nothing while the other is not whole."""
    pages = world()
    pages["users", 0] = evolve(pages["users", 0], grants=(member("a", "G"),))
    pages["in:H", 0] = evolve(pages["in:H", 0], grants=(*pages["in:H", 0].grants, member("b", "G")))
    synced(db, pages)
    less = world()
    for hole in (ApplicationError("500"), Page(warnings=("forbidden",))):
        report, _ = synced(db, {**less, ("in:G", 0): hole})
        assert (report.sync.status, held(db)) == ("incomplete", HELD)
        assert unconfirmed(db) == {("a", "G"), ("b", "G")}
    assert (synced(db, pages)[0].sync.status, unconfirmed(db)) == ("complete", set())
    assert (synced(db, {**less, ("in:G", 0): Page()})[0].sync.status, held(db)) == (
        "complete",
        {("c", "H"), ("d", "H")},
    )


def test_a_grant_made_by_an_operation_belongs_to_no_other_groups_stream(db: Path) -> None:
    """Before any stream gave it, one that lists another group's members cannot end it."""
    pages = world()
    pages["in:G", 0] = Page()
    synced(db, pages)
    with opened(db) as connection, transaction(connection):
        granted = frozenset({EntitlementKey("group", "G", MEMBER)})
        now = AccountSnapshot(key=Key("user", "a"), resource=user("a"), held=granted)
        Follower(connection, 1, FakeClock()).follow(new_event(connection, 1, "operation"), now)
    pages["in:G", 0] = ApplicationError("500")
    assert (synced(db, pages)[0].sync.status, ("a", "G") in held(db)) == ("incomplete", True)
    pages["in:G", 0] = Page()
    assert (synced(db, pages)[0].sync.status, ("a", "G") in held(db)) == ("complete", False)


class Provider(Script):
    """A script that can grant and revoke: an account holds roles, and its memberships are listed elsewhere."""

    @hookimpl
    def find_account(self, login: str) -> Page:
        page = self.single[Key("user", login.partition("@")[0])]
        assert isinstance(page, Page)
        return page

    @hookimpl
    def provision_grant(self, grant: Grant) -> Outcome:
        return self._holds(grant.principal, grant)

    @hookimpl
    def provision_revoke(self, grant: Grant) -> Outcome:
        return self._holds(grant.principal)

    def _holds(self, key: Key, *grants: Grant) -> Outcome:
        self.single[key] = Page(resources=(user(key.id),), grants=grants)
        return Outcome()


@pytest.mark.parametrize("gives_all", [False, True])
def test_an_operation_ends_no_grant_that_is_listed_elsewhere(db: Path, gives_all: bool) -> None:
    """The account as it reads afterwards proves nothing against its memberships, unless it gives all its grants."""
    script = Provider(world(), single={Key("user", "a"): Page(resources=(user("a"),))})
    script.types = (evolve(script.types[0], grants="with_resource" if gives_all else "elsewhere"), *script.types[1:])
    connection = script.connect(db).host.connection("script", managed=True)  # type: ignore[attr-defined]
    connection.sync()
    rest = HELD - {("a", "G")} if gives_all else HELD
    for role in ("viewer", "editor"):
        assert connection.grant(role, "a@example.com").state == "done"
        assert held(db) == rest | {("a", role)}
    assert connection.revoke("editor", "a@example.com", yes=True).state == "done"
    assert held(db) == rest


def test_a_granted_role_of_the_manifest_ends_where_every_list_is_whole_without_it(db: Path) -> None:
    """Though no list gives the role as a resource; a list that is not whole ends nothing."""
    script = Provider(world(), single={Key("user", "a"): Page(resources=(user("a"),))})
    lead = evolve(script.entitlements[0], resource=Key("role", "lead"), exclusive=None)
    script.entitlements = (*script.entitlements, lead)
    connection = script.connect(db).host.connection("script", managed=True)  # type: ignore[attr-defined]
    connection.sync()
    assert connection.grant("role:lead", "a@example.com").state == "done"
    whole, script.pages["in:G", 0] = script.pages["in:G", 0], ApplicationError("500")
    assert (connection.sync().sync.status, ("a", "lead") in held(db)) == ("incomplete", True)
    script.pages["in:G", 0] = whole
    assert (connection.sync().sync.status, ("a", "lead") in held(db)) == ("complete", False)


# -- a read of the principal ----------------------------------------------------------------------------------------


def without_a(pages: dict[Any, Any]) -> dict[Any, Any]:
    return {**pages, ("users", 0): Page(resources=tuple(user(n) for n in PEOPLE[1:]), total=3)}


def test_a_look_up_without_grants_proves_nothing_where_they_come_from_elsewhere(db: Path) -> None:
    """Such a read of an account ends none of the grants that other lists give."""
    synced(db, world())
    report, script = synced(db, without_a(world()))
    assert user("a") in script.asked
    assert (report.sync.status, report.changes.total, held(db)) == ("complete", 0, HELD)


def test_a_look_up_that_gives_all_grants_ends_those_that_it_does_not_give(db: Path) -> None:
    """A type that says `with_resource` needs no other proof."""
    pages = without_a(world())
    pages["in:G", 0] = ApplicationError("500")
    synced(db, world(), gives_all=True)
    report, _ = synced(db, pages, gives_all=True)
    assert (report.sync.status, held(db)) == ("incomplete", {("c", "H"), ("d", "H")})


def test_reads_that_contradict_each_other_are_read_once_more(db: Path) -> None:
    """Where they still differ the grant stands, unconfirmed, and the sync is incomplete."""
    synced(db, world(), gives_all=True)
    report, script = synced(db, without_a(world()), gives_all=True)
    assert script.asked.count(user("a")) == 2 and script.asked.count(("in:G", 0)) == 2
    assert report.sync.status == "incomplete" and "look-up" in str(report.sync.reason)
    assert (held(db), unconfirmed(db)) == (HELD, {("a", "G")})


def once(first: Page, then: Page) -> Callable[[Cursor], Page]:
    answers = [first]
    return lambda cursor: answers.pop() if answers else then


@pytest.mark.parametrize("later", ["the list", "the look-up"])
def test_reads_that_agree_the_second_time_are_believed(db: Path, later: str) -> None:
    """Whichever of them was late."""
    synced(db, world(), gives_all=True)
    pages = without_a(world())
    script = Script(pages, single={Key("user", "a"): Page(resources=(user("a"),))})
    script.types = (evolve(script.types[0], grants="with_resource"), *script.types[1:])
    if later == "the list":
        script.pages["in:G", 0] = once(pages["in:G", 0], Page(grants=(member("b", "G"),)))
    else:
        agreed = Page(resources=(user("a"),), grants=(member("a", "G"),))

        def second(cursor: Cursor) -> Page:
            if script.asked.count(("in:G", 0)) == 2:
                script.single[Key("user", "a")] = agreed
            return world()["in:G", 0]  # type: ignore[no-any-return]

        script.pages["in:G", 0] = second
    report = script.connect(db).sync()
    assert report.sync.status == "complete", report.sync.reason
    assert held(db) == (HELD - {("a", "G")} if later == "the list" else HELD)
    assert unconfirmed(db) == set()


def test_a_grant_that_a_look_up_denies_does_not_begin(db: Path) -> None:
    """What no earlier picture holds is not taken from one of two reads that contradict each other."""
    pages = world()
    pages["in:G", 0] = Page(grants=(member("b", "G"),))
    synced(db, pages, gives_all=True)
    report, _ = synced(db, without_a(world()), gives_all=True)
    assert (report.sync.status, held(db)) == ("incomplete", HELD - {("a", "G")})


def test_what_a_look_up_gave_belongs_to_no_stream(db: Path) -> None:
    """The stream that lists an account does not end what only a read by id has given."""
    synced(db, world())
    found = {Key("user", "a"): Page(resources=(user("a"),), grants=(editor("a"),))}
    synced(db, without_a(world()), single=found)
    assert ("a", "editor") in held(db)
    pages = world()
    pages["in:H", 0] = ApplicationError("500")
    synced(db, pages)
    assert ("a", "editor") in held(db)


# -- unknown --------------------------------------------------------------------------------------------------------


def test_an_entitlement_whose_holders_are_unknown_keeps_them(db: Path) -> None:
    """Also against a stream that was read whole without them; one warning counts the entitlements."""
    synced(db, world())
    pages = world()
    pages["in:G", 0] = Page(unknown=(EntitlementKey("group", "G", MEMBER),))
    report, _ = synced(db, pages)
    assert (report.sync.status, held(db), unconfirmed(db)) == ("complete", HELD, {("a", "G"), ("b", "G")})
    assert [w for w in report.warnings if "1 entitlements" in w]


def test_a_principal_may_be_unknown_to_a_page_that_does_not_list_it(db: Path) -> None:
    """A page of members may say that it could not read what one of them holds."""
    synced(db, world())
    pages = world()
    pages["in:G", 0] = Page(grants=(member("b", "G"),), unknown=(Key("user", "a"),))
    report, _ = synced(db, pages)
    assert (report.sync.status, held(db), unconfirmed(db)) == ("complete", HELD, {("a", "G")})


def test_an_unknown_name_of_another_kind_breaks_the_contract(db: Path) -> None:
    """A page's `unknown` holds keys of resources or of entitlements."""
    with pytest.raises(ConnectorCoreError, match="Key or EntitlementKey"):
        synced(db, {**world(), ("users", 0): Page(unknown=("a",))})  # type: ignore[arg-type]
