"""History: every past picture can be asked for, changes are one row each, and what stays the same costs nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.sync import (
    Script,
    Site,
    changed,
    connect,
    dump,
    editor,
    first,
    group,
    member,
    membership,
    opened,
    picture,
    rows,
    user,
    users,
    viewer,
)

from connector_core.errors import UnknownName
from connector_core.model import Key, Page
from connector_core.testing import FakeClock

# -- every past picture ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_the_picture_at_any_event_is_what_was_shown_then(db: Path, seed: int) -> None:
    """Over fifteen days of a world that changes at random, each past picture can still be asked for, as it was."""
    rng, clock = random.Random(seed), FakeClock()
    shown: dict[str, list[Any]] = {}
    for _ in range(15):
        clock.advance(86_400)
        world = World(rng)
        connection = world.script().connect(db, clock=clock)
        report = connection.sync(accept_removals=True)
        if report.sync.event is not None:
            shown[str(report.sync.event)] = rows(connection)
        assert all(rows(connection, at=event) == then for event, then in shown.items())
    assert len(shown) > 5


class World:
    """Twelve people at most, some of them disabled, unreadable or unlisted, in three groups, one within another."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.people = [n for n in "abcdefghijkl" if rng.random() < 0.8]
        self.groups = [g for g in ("red", "blue", "all") if rng.random() < 0.8]

    def script(self) -> Script:
        rng, listed = self._rng, [n for n in self.people if self._rng.random() < 0.95]
        single = {Key("user", n): self._page([n]) for n in self.people}
        total = None if rng.random() < 0.5 else len(listed)
        pages = {
            None: first("users", "groups"),
            ("users", 0): evolve(self._page(listed), total=total),
            ("groups", 0): self._groups(),
        }
        return Script(pages, single=single)

    def _page(self, names: list[str]) -> Page:
        rng = self._rng
        people = tuple(
            user(n, name=rng.choice("XYZ"), status=rng.choice(("enabled", "enabled", "disabled", "unknown")))
            for n in names
        )
        roles = tuple(rng.choice((editor, viewer))(n) for n in names if rng.random() < 0.8)
        return Page(resources=people, grants=roles, unknown=tuple(Key("user", n) for n in names if rng.random() < 0.1))

    def _groups(self) -> Page:
        rng = self._rng
        members = tuple(member(n, g) for g in self.groups for n in self.people if rng.random() < 0.4)
        nested = tuple(member(g, "all", "group") for g in self.groups if "all" in self.groups)
        return Page(
            resources=tuple(group(g) for g in self.groups), entitlements=tuple(membership(g) for g in self.groups),
            grants=(*members, *nested, *(editor(g, "group") for g in self.groups if rng.random() < 0.3)),
        )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_the_picture_of_a_workspace_at_any_event(db: Path, seed: int) -> None:
    """The same over real sockets, with the workspace's own shuffling, and by time as well as by event."""
    clock = FakeClock()
    with Site(20) as site:
        connection = connect(db, site, clock=clock, page_size=7)
        shown = []
        for day in range(8):
            report = connection.sync()
            assert report.sync.status == "complete" and picture(connection) == site.users()
            shown.append((str(report.sync.event), str(report.sync.finished), rows(connection)))
            clock.advance(86_400)
            site.workspace.shuffle(seed * 100 + day)
        for event, moment, then in shown:
            assert rows(connection, at=event) == then == rows(connection, at=moment)


@pytest.mark.parametrize(
    "moment", ["99", "99999999999999999999", "²", "yesterday", "1999-01-01", "0001-01-01T00:00:00+14:00"]
)
def test_a_moment_without_a_picture_is_refused_in_words(db: Path, moment: str) -> None:
    """Numbers and times that there was no picture at are a usage error, whatever they look like."""
    connection = Script({None: first("users"), ("users", 0): users("ada")}).connect(db)
    connection.sync()
    with pytest.raises(UnknownName):
        connection.access(at=moment)


def test_since_is_when_it_began_and_not_when_it_was_last_altered(db: Path) -> None:
    """A renamed account holds its role since it was given, and is there since it joined."""
    clock = FakeClock()
    script = Script(
        {None: first("users"), ("users", 0): Page(resources=(user("ada"), user("bo")), grants=(editor("ada"),))}
    )
    script.connect(db, clock=clock).sync()
    since = {r.since for r in rows(script.connect(db))}
    clock.advance(86_400)
    renamed = Page(resources=(user("ada", name="A"), user("bo", name="B")), grants=(editor("ada"),))
    script.pages["users", 0] = renamed
    script.connect(db, clock=clock).sync()
    assert len(since) == 1 and {r.since for r in rows(script.connect(db))} == since
    with opened(db) as connection:
        assert {r["since"] for r in connection.execute("SELECT since FROM accounts")} == since


# -- changes --------------------------------------------------------------------------------------------------------


def after(db: Path, before: Page, then: Page, **more: Any) -> list[Any]:
    """What changes from one listing to another."""
    Script({None: first("users"), ("users", 0): before}).connect(db).sync()
    connection = Script({None: first("users"), ("users", 0): then}, **more).connect(db)
    report = connection.sync()
    found = changed(connection)
    assert report.changes.total == len(found)
    return found


EDITOR, VIEWER = "role:editor:assigned", "role:viewer:assigned"


def test_a_first_sync_is_the_baseline(db: Path) -> None:
    """Nothing in the first picture is a change."""
    connection = Script({None: first("users"), ("users", 0): users("ada", "bo")}).connect(db)
    assert connection.sync().changes.total == 0 and connection.changes() == ()


def test_a_joiner_is_one_account_row_and_one_grant_row(db: Path) -> None:
    """Somebody new: the account, and what it holds."""
    assert after(db, users("ada"), users("ada", "bo")) == [
        ("added", "bo@example.com", "account", None, "bo@example.com"),
        ("added", "bo@example.com", "grant", None, EDITOR),
    ]


def test_a_leaver_is_one_account_row_and_one_grant_row(db: Path) -> None:
    """Somebody gone: the account, and what it held."""
    assert after(db, users("ada", "bo"), users("ada")) == [
        ("removed", "bo@example.com", "account", "bo@example.com", None),
        ("removed", "bo@example.com", "grant", EDITOR, None),
    ]


def test_a_swap_within_an_exclusive_group_is_one_row(db: Path) -> None:
    """An editor who became a viewer changed once."""
    then = Page(resources=(user("ada"),), grants=(viewer("ada"),))
    assert after(db, users("ada"), then) == [("changed", "ada@example.com", "grant", EDITOR, VIEWER)]


def test_a_grant_that_came_and_one_that_went(db: Path) -> None:
    """Without a rival, a grant is added or removed."""
    assert after(db, users("ada", grants=()), users("ada")) == [("added", "ada@example.com", "grant", None, EDITOR)]


def test_a_rename_is_one_row_for_each_field(db: Path) -> None:
    """Name, login, e-mail, status and profile are compared field by field."""
    before = Page(resources=(user("ada", name="Ada", email="a@example.com"),), grants=(editor("ada"),))
    renamed = user(
        "ada", name="Ada L.", email="b@example.com", login="ada.l@example.com", status="unknown", profile={"x": 1}
    )
    assert after(db, before, Page(resources=(renamed,), grants=(editor("ada"),))) == [
        ("changed", "ada.l@example.com", "email", "a@example.com", "b@example.com"),
        ("changed", "ada.l@example.com", "login", "ada@example.com", "ada.l@example.com"),
        ("changed", "ada.l@example.com", "name", "Ada", "Ada L."),
        ("changed", "ada.l@example.com", "profile", "{}", '{"x":1}'),
        ("changed", "ada.l@example.com", "status", "enabled", "unknown"),
    ]


def test_a_shuffled_workspace_changes_by_exactly_what_was_shuffled(db: Path) -> None:
    """Joiners, leavers and role changes of a day are the rows of the next sync."""
    with Site(40) as site:
        connection = connect(db, site)
        connection.sync()
        day = site.workspace.shuffle(5)
        counts = connection.sync().changes
        assert (counts.added, counts.removed, counts.changed) == (6, 4, 3)
        by_kind = {
            kind: {c[1] for c in changed(connection) if c[0] == kind} for kind in ("added", "removed", "changed")
        }
        assert by_kind == {"added": set(day.joined), "removed": set(day.left), "changed": set(day.changed)}


def test_changes_name_their_sync(db: Path) -> None:
    """Also where an operation entered the picture while the sync ran, so that the event's number is another."""
    script = Script({None: first("users"), ("users", 0): users("ada")})
    script.connect(db).sync()

    def during(cursor: object) -> Page:
        with opened(db) as connection:
            connection.execute(
                "INSERT INTO events (connection, kind, at) VALUES (1, 'operation', '2026-01-01T00:00:00.000Z')"
            )
        return users("ada", "bo")

    script.pages["users", 0] = during
    connection = script.connect(db)
    report = connection.sync()
    assert report.sync.event != report.sync.id
    assert {(c.sync, c.operation) for c in connection.changes()} == {(report.sync.id, None)}
    with opened(db) as connection_:
        assert {r["sync"] for r in connection_.execute("SELECT sync FROM changes")} == {report.sync.id}


def test_changes_since_and_until(db: Path) -> None:
    """Changes are asked for between any two events; by default since the sync before the last."""
    script = Script({None: first("users"), ("users", 0): users("a")})
    connection = script.connect(db)
    for names in ("a", "ab", "abc", "abcd"):
        script.pages["users", 0] = users(*names)
        connection.sync()
    joined = lambda **between: [c.user for c in connection.changes(**between) if c.what == "account"]  # noqa: E731
    assert joined() == ["d@example.com"]
    assert joined(since="1") == ["b@example.com", "c@example.com", "d@example.com"]
    assert joined(since="1", until="2") == ["b@example.com"]
    assert joined(until="3") == ["c@example.com"]


# -- what stays the same --------------------------------------------------------------------------------------------


def test_an_unchanged_sync_adds_no_rows(db: Path) -> None:
    """Unchanged people cost no row of the picture, its history or its changes, and hardly a byte of the file."""
    tables = ("current_resources", "grants", "resource_history", "grant_history", "change_log", "known_entitlements")
    with Site(300) as site:
        connection = connect(db, site, page_size=50)
        connection.sync()
        connection.sync()
        before, size = dump(db, *tables), used(db)
        for _ in range(5):
            assert connection.sync().changes.total == 0
        assert dump(db, *tables) == before
        assert used(db) - size <= 3 * 4096
        staged = dump(db, "staged", "staged_grants", "staged_entitlements", "also_listed", "frontier", "held_removals")
        assert staged == [[]] * 6


def used(db: Path) -> int:
    """Bytes of the file that hold something."""
    with opened(db) as connection:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def test_the_order_of_a_listing_changes_nothing(db: Path) -> None:
    """Rows in another order, on other pages: not a change."""
    assert after(db, users("ada", "bo", "cy"), users("cy", "ada", "bo")) == []
