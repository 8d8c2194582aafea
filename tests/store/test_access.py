"""Who has what, in pages and by role: the same rows as the public view has, whatever the groups are like."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from kit.sync import EDITOR, VIEWER, Script, assert_sound, first

from connector_core.host.connection import Connection
from connector_core.model import AccessRow, Entitlement, EntitlementKey, Grant, Key, Page, Resource
from connector_core.store import access

PEOPLE = [Key("user", name) for name in "abcdefgh"]
GROUPS = [Key("group", name) for name in "GHIJ"]
MEMBERS = [EntitlementKey(*group, "member") for group in GROUPS]
DELEGATE = EntitlementKey("user", "a", "delegate")  # held by others, who have what that person has


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "s.db"


def world(seed: int) -> Page:
    """People, groups in groups and in circles, roles; some people are listed without a login."""
    random = Random(seed)
    people = random.sample(PEOPLE, 6)
    logins = {key: random.choice([f"{key.id.upper()}@example.com", None]) for key in people}
    resources = [Resource(type="user", id=k.id, login=logins[k], name=k.id, status="enabled") for k in people]
    resources += [Resource(type="group", id=key.id, name=key.id, status="enabled") for key in GROUPS]
    resources += [Resource(type="role", id=e.id, name=e.id, status="enabled") for e in (EDITOR, VIEWER)]
    given = (*MEMBERS, DELEGATE, EDITOR, VIEWER)
    grants = {Grant(random.choice(given), random.choice([*people, *GROUPS])) for _ in range(16)}
    entitlements = [Entitlement(resource=e.resource, slug=e.slug, name=e.id, expands=True) for e in given[:-2]]
    return Page(resources=tuple(resources), entitlements=tuple(entitlements), grants=tuple(grants))


def synced(db: Path, *seeds: int) -> Connection:
    for seed in seeds:
        connection = Script({None: first("all"), ("all", 0): world(seed)}).connect(db)
        if connection.sync().sync.status == "held":
            connection.sync(accept_removals=True)
    return connection


def moments(connection: Connection) -> list[str | None]:
    """Now, and after each published sync."""
    return [None, *(str(sync.event) for sync in connection.syncs() if sync.event is not None)]


@pytest.mark.parametrize("seed", range(12))
def test_a_role_asked_for_gives_the_rows_that_all_access_has_of_it(db: Path, seed: int) -> None:
    """Direct, through groups in groups, in circles and through people: the same rows, now and then."""
    connection = synced(db, seed, seed + 100)
    for at in moments(connection):
        everything = list(connection.access(at=at))
        for role in {row.role for row in everything} - {None}:
            assert list(connection.access(role=role, at=at)) == [row for row in everything if row.role == role]


@pytest.mark.parametrize("seed", range(3))
def test_pages_of_access_are_the_view_in_its_order(db: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read two accounts at a time, no row is missing, given twice or out of order, now and then."""
    connection = synced(db, seed, seed + 100)
    whole = {at: list(connection.access(at=at)) for at in moments(connection)}
    monkeypatch.setattr(access, "PAGE", 2)
    assert_sound(db)
    for at, rows in whole.items():
        assert list(connection.access(at=at)) == rows
        assert rows == sorted(rows, key=by_login)


def by_login(row: AccessRow) -> tuple[str, ...]:
    return ((row.user or row.name or row.user_id).lower(), row.user_id)
