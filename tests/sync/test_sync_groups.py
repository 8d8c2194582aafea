"""Groups: who is in one inherits what it holds, through groups in groups, and the view and the reader say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kit.sync import (
    Script,
    changed,
    editor,
    first,
    group,
    member,
    membership,
    rows,
    user,
    viewer,
)

from connector_core.errors import ApplicationError
from connector_core.model import Cursor, Key, Page


def world(people: str, groups: str, *grants: Any) -> dict[Any, Any]:
    """People and groups by their letters, and who holds what."""
    return {
        None: first("users", "groups"),
        ("users", 0): Page(resources=tuple(user(n) for n in people)),
        ("groups", 0): Page(
            resources=tuple(group(g) for g in groups), entitlements=tuple(membership(g) for g in groups), grants=grants
        ),
    }


def held(db: Path, pages: dict[Any, Any], *, single: Any = None) -> set[tuple[str, str | None, str | None]]:
    """Who holds what, and through which group, after a sync."""
    connection = Script(pages, single=single).connect(db)
    connection.sync()
    return {(r.user_id, r.role, r.via) for r in rows(connection)}


def test_members_inherit_what_the_group_holds(db: Path) -> None:
    """The membership itself is direct, what the group holds comes through it."""
    assert held(db, world("ab", "G", member("a", "G"), editor("G", "group"), viewer("b"))) == {
        ("a", "G", None), ("a", "editor", "group:G"), ("b", "viewer", None),
    }  # fmt: skip


def test_groups_within_groups(db: Path) -> None:
    """What the outermost group holds reaches everybody within, and says through which group it is held."""
    nested = (member("a", "G"), member("G", "H", "group"), member("H", "I", "group"), editor("I", "group"))
    assert held(db, world("a", "GHI", *nested)) == {
        ("a", "G", None), ("a", "H", "group:G"), ("a", "I", "group:H"), ("a", "editor", "group:I"),
    }  # fmt: skip


def test_a_circle_of_memberships_ends(db: Path) -> None:
    """A group that is its own member in the end is walked once."""
    circle = (member("a", "G"), member("G", "H", "group"), member("H", "G", "group"), editor("H", "group"))
    assert held(db, world("a", "GH", *circle)) == {
        ("a", "G", None), ("a", "H", "group:G"), ("a", "G", "group:H"), ("a", "editor", "group:H"),
    }  # fmt: skip


def test_held_directly_and_through_two_groups_are_three_rows(db: Path) -> None:
    """Every way to hold a thing is a row of its own: each would have to be taken away."""
    ways = (editor("a"), member("a", "G"), member("a", "H"), editor("G", "group"), editor("H", "group"))
    assert {h for h in held(db, world("a", "GH", *ways)) if h[1] == "editor"} == {
        ("a", "editor", None), ("a", "editor", "group:G"), ("a", "editor", "group:H"),
    }  # fmt: skip


def test_somebody_without_anything_is_one_row(db: Path) -> None:
    """No role, no group: one row, with nothing in it."""
    assert held(db, world("ab", "G", member("b", "G"))) == {("a", None, None), ("b", "G", None)}


def test_asking_for_one_user_or_one_role_shows_inherited_access(db: Path) -> None:
    """The filters see through groups."""
    connection = Script(world("ab", "G", member("a", "G"), editor("G", "group"), viewer("b"))).connect(db)
    connection.sync()
    assert {(r.role, r.via) for r in connection.access(user="A@EXAMPLE.com")} == {("G", None), ("editor", "group:G")}
    assert [(r.user_id, r.via) for r in connection.access(role="editor")] == [("a", "group:G")]


def test_members_come_and_go(db: Path) -> None:
    """A membership that a whole listing shows no more has ended, and with it what came through it."""
    held(db, world("ab", "G", member("a", "G"), member("b", "G"), editor("G", "group")))
    now = held(db, world("ab", "G", member("b", "G"), editor("G", "group")))
    assert now == {("a", None, None), ("b", "G", None), ("b", "editor", "group:G")}
    connection = Script({}).connect(db)
    assert changed(connection) == [("removed", "a@example.com", "grant", "group:G:member", None)]


def test_a_group_proven_gone_ends_its_memberships(db: Path) -> None:
    """With the group everything ends that was held on it and by it."""
    held(db, world("ab", "GH", member("a", "G"), editor("G", "group"), member("b", "H")))
    assert held(db, world("ab", "H", member("b", "H"))) == {("a", None, None), ("b", "H", None)}


def test_a_group_that_cannot_be_looked_up_keeps_its_memberships(db: Path) -> None:
    """A group that is missing, but not proven gone, ends nobody's access."""
    before = held(db, world("ab", "GH", member("a", "G"), editor("G", "group"), member("b", "H")))
    broken = {Key("group", "G"): ApplicationError("500")}
    assert held(db, world("ab", "H", member("b", "H")), single=broken) == before


def test_a_tree_of_streams(db: Path) -> None:
    """A group's page hands out its members' cursors: each group's members are a stream, judged by itself."""
    pages: dict[Any, Any] = {
        None: first("users", "groups"),
        ("users", 0): Page(resources=(user("a"), user("b"))),
        ("groups", 0): Page(
            resources=(group("G"), group("H")), entitlements=(membership("G"), membership("H")),
            next=(Cursor("members:G", 0), Cursor("members:H", 0)),
        ),
        ("members:G", 0): Page(grants=(member("a", "G"),), next=(Cursor("members:G", 1),)),
        ("members:G", 1): Page(grants=(member("b", "G"),)),
        ("members:H", 0): Page(grants=(member("b", "H"),), total=1),
    }  # fmt: skip
    both = {("a", "G", None), ("b", "G", None), ("b", "H", None)}
    assert held(db, pages) == both
    pages["members:H", 0] = Page(total=0)
    assert held(db, pages) == both - {("b", "H", None)}
    pages["members:G", 0] = Page(grants=(member("a", "G"),), total=2)  # one is missing
    assert held(db, pages) == both - {("b", "H", None)}
