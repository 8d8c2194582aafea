"""What accounts and entitlements say of themselves: shown in the views, and activity never a change."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.sync import (
    EDITOR,
    ROLES,
    Script,
    assert_sound,
    changed,
    dump,
    editor,
    first,
    group,
    member,
    membership,
    opened,
)
from kit.sync import user as account

from connector_core.clock import utc_time
from connector_core.host.connection import Connection
from connector_core.model import Page, Resource
from connector_core.store.database import open_writer
from connector_core.store.follow import AccountSnapshot, Follower
from connector_core.testing import FakeClock

DAY = 86_400.0
BO = account("bo", name="Bo", account_type="service", mfa=True, manager="ada@example.com")


def synced(db: Path, *resources: Resource, clock: FakeClock | None = None, **more: Any) -> Connection:
    """The connection after a sync that lists these, Bo as an editor, and the role of that name."""
    page = Page(resources=(*ROLES, *resources), grants=(editor("bo"),), **more)
    connection = Script({None: first("users"), ("users", 0): page}).connect(db, clock=clock)
    connection.sync()
    return connection


def activity(db: Path) -> list[tuple[Any, ...]]:
    with opened(db) as connection:
        return [tuple(r) for r in connection.execute("SELECT user_id, last_login, created_at FROM accounts ORDER BY 1")]


def test_what_an_account_says_of_itself_is_in_each_row_of_access(tmp_path: Path) -> None:
    """Its type, last login, second factor and manager; and the names of the role and of what is held on it."""
    db = tmp_path / "s.db"
    connection = synced(db, evolve(BO, last_login="2026-01-31T12:00:00Z"), account("cy"))
    bo, cy = connection.access()
    assert (bo.account_type, bo.last_login, bo.mfa, bo.manager) == (
        "service", "2026-01-31T12:00:00Z", True, "ada@example.com",
    )  # fmt: skip
    assert (bo.role, bo.role_name, bo.entitlement_name) == ("editor", "Editor", "Editor")
    assert (cy.account_type, cy.last_login, cy.mfa, cy.manager, cy.role_name, cy.entitlement_name) == (
        "unknown", None, None, None, None, None,
    )  # fmt: skip
    assert_sound(db)


def test_logins_are_no_changes(tmp_path: Path) -> None:
    """A login of each of 62 accounts: the newest is kept, and there is neither a change nor a version of one."""
    db, clock = tmp_path / "s.db", FakeClock()
    people = [account(f"p{n}", last_login=f"2026-01-30T12:00:{n % 60:02}Z") for n in range(62)]
    synced(db, BO, *people, clock=clock)
    clock.advance(DAY)
    later = [evolve(p, last_login=str(p.last_login).replace("-30T", "-31T")) for p in people]
    connection = synced(db, BO, *later, clock=clock)
    assert (changed(connection), connection.changes()) == ([], ())
    assert [at for id, at, _ in activity(db) if id == "p3"] == ["2026-01-31T12:00:03Z"]
    with opened(db) as state:
        assert state.execute("SELECT count(*) FROM resource_history").fetchone()[0] == 0
    assert_sound(db)


def test_what_a_read_does_not_say_stays(tmp_path: Path) -> None:
    """A listing without the last login leaves the one that is known, and a look-up's creation time joins it."""
    db, clock = tmp_path / "s.db", FakeClock()
    for said in ({"last_login": "2026-01-31T12:00:00Z"}, {"created_at": "2020-02-01T00:00:00+01:00"}, {}):
        synced(db, evolve(BO, **said), clock=clock)
        clock.advance(DAY)
    assert activity(db) == [("bo", "2026-01-31T12:00:00Z", "2020-01-31T23:00:00.000Z")]


def test_activity_is_published_with_its_sync(tmp_path: Path) -> None:
    """A sync that is held or fails shows no newer login than the picture."""
    db, clock = tmp_path / "s.db", FakeClock()
    people = [account(f"p{n}") for n in range(12)]
    synced(db, evolve(BO, last_login="2026-01-30T12:00:00Z"), *people, clock=clock)
    connection = synced(db, evolve(BO, last_login="2026-01-31T12:00:00Z"), clock=clock)
    assert connection.syncs()[0].status == "held"
    assert ("bo", "2026-01-30T12:00:00Z", None) in activity(db)
    synced(db, evolve(BO, last_login="2026-01-31T12:00:00Z"), *people, clock=clock)
    assert ("bo", "2026-01-31T12:00:00Z", None) in activity(db)
    assert dump(db, "staged_activity") == [[]]


def test_activity_leaves_with_its_account(tmp_path: Path) -> None:
    """Of an account that is proven gone, by a sync or an operation, nothing stays."""
    db, clock = tmp_path / "s.db", FakeClock()
    cy, di = (account(name, last_login="2026-01-31T12:00:00Z") for name in ("cy", "di"))
    synced(db, BO, cy, di, clock=clock)
    clock.advance(DAY)
    synced(db, BO, di, clock=clock)
    with closing(open_writer(db)) as state:
        follower = Follower(state, 1, clock)
        follower.follow(1, AccountSnapshot(key=di.key, resource=evolve(di, last_login="2026-02-01T00:00:00Z")))
        assert [row["last_login"] for row in state.execute("SELECT * FROM activity")] == ["2026-02-01T00:00:00Z"]
        follower.follow(1, AccountSnapshot(key=di.key, resource=None))
    assert dump(db, "activity") == [[]]


def test_a_change_of_the_second_factor_is_in_words(tmp_path: Path) -> None:
    """``mfa`` is no activity: a change of it says true and false, from a sync and from an operation alike."""
    db, clock = tmp_path / "s.db", FakeClock()
    synced(db, BO, clock=clock)
    clock.advance(DAY)
    connection = synced(db, evolve(BO, mfa=False), clock=clock)
    assert changed(connection) == [("changed", "bo@example.com", "mfa", "true", "false")]
    with closing(open_writer(db)) as state:
        now = AccountSnapshot(key=BO.key, resource=evolve(BO, mfa=None), held=frozenset({EDITOR}))
        Follower(state, 1, clock).follow(1, now)
    last = connection.changes(since=str(connection.syncs()[0].event))
    assert [(c.what, c.before, c.after) for c in last] == [("mfa", "false", None)]


def test_every_resource_has_its_row(tmp_path: Path) -> None:
    """Of any type, by the connection's name, with what it says of itself."""
    db = tmp_path / "s.db"
    synced(db, evolve(BO, last_login="2026-01-31T12:00:00Z"), evolve(group("g1"), parent=BO.key))
    with opened(db) as state:
        query = "SELECT connection, resource_type, resource_id, name, account_type, last_login, parent FROM resources"
        rows = {row["resource_id"]: tuple(row) for row in state.execute(query)}
    assert rows["bo"] == ("script", "user", "bo", "Bo", "service", "2026-01-31T12:00:00Z", None)
    assert rows["g1"] == ("script", "group", "g1", "G1", "unknown", None, "user:bo")
    assert set(rows) == {"bo", "g1", "editor", "viewer"}


def test_the_past_shows_what_was_said_then(tmp_path: Path) -> None:
    """The names and values of that time; the last login, which has no history, is not shown for it."""
    db, clock = tmp_path / "s.db", FakeClock()
    connection = synced(db, evolve(BO, last_login="2026-01-31T12:00:00Z"), clock=clock)
    clock.advance(DAY)
    roles = tuple(evolve(role, name=f"{role.name} (new)") for role in ROLES)
    page = Page(resources=(*roles, evolve(BO, account_type="human", mfa=None)), grants=(editor("bo"),))
    Script({None: page}).connect(db, clock=clock).sync()
    then, now = (connection.access(at=at)[0] for at in ("1", None))
    assert (then.role_name, then.account_type, then.mfa, then.last_login) == ("Editor", "service", True, None)
    assert (now.role_name, now.account_type, now.mfa, now.last_login) == (
        "Editor (new)", "human", None, "2026-01-31T12:00:00Z",
    )  # fmt: skip


def test_an_entitlement_says_what_it_allows(tmp_path: Path) -> None:
    """Its description and whether it is privileged are kept as the last sync read them."""
    db, clock = tmp_path / "s.db", FakeClock()
    for text, privileged in (("Reads all", False), ("Reads and deletes all", True)):
        said = evolve(membership("admins"), description=text, privileged=privileged)
        page = Page(resources=(group("admins"), BO), entitlements=(said,), grants=(member("bo", of="admins"),))
        connection = Script({None: first("users"), ("users", 0): page}).connect(db, clock=clock)
        connection.sync()
        clock.advance(DAY)
    with opened(db) as state:
        query = "SELECT role_name, entitlement, entitlement_name, description, privileged FROM entitlements"
        assert [tuple(row) for row in state.execute(f"{query} WHERE role = 'admins'")] == [
            ("Admins", "member", "Member of admins", "Reads and deletes all", 1)
        ]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00.250Z", "2026-01-31T12:00:00.250Z"),
        ("2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00.000Z"),
        ("1969-12-31T23:59:59-00:30", "1970-01-01T00:29:59.000Z"),
        ("2026-01-31T12:00:00", None),
        ("2026-01-31", None),
        ("2026-02-31T12:00:00Z", None),
        ("0001-01-01T00:00:00+23:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_has_an_offset(text: str | None, moment: str | None) -> None:
    """Any RFC 3339 time is kept in UTC; a text without an offset names no moment."""
    assert utc_time(text) == moment
