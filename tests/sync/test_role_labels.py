"""Roles, groups and projects by their names: printed, and typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from kit.sync import Script, first, group, member, membership, user

from connector_core.cli.labels import Labels
from connector_core.errors import AmbiguousName, UnknownName
from connector_core.host.connection import Connection
from connector_core.model import EntitlementKey, Key, Page

NAMES = {
    "g1": "Engineering",
    "g2": "Design",
    "g3": "Design",
    "g4": "g5",
    "g5": "Sales",
    "g6": None,
    "sales-emea": "Sales-EMEA",
}


@pytest.fixture
def connection(db: Path) -> Connection:
    """Six groups, one without a name; two are called alike, and one bears the id of another as its name."""
    groups = Page(
        resources=(user("ann"), *(evolve(group(id), name=name) for id, name in NAMES.items())),
        entitlements=tuple(membership(id) for id in NAMES), grants=tuple(member("ann", id) for id in NAMES),
    )  # fmt: skip
    connection = Script({None: first("all"), ("all", 0): groups}).connect(db)
    connection.sync()
    return connection


def test_what_is_printed_is_the_name_and_the_id_where_names_are_alike(connection: Connection) -> None:
    """Ids for what has no name, or whose name is its id in another case."""
    labels = Labels(connection.role_labels())
    shown = {id: labels.of(EntitlementKey("group", id, "assigned")) for id in NAMES}
    assert shown == {
        "g1": "Engineering", "g2": "Design (g2)", "g3": "Design (g3)", "g4": "g5 (g4)", "g5": "Sales", "g6": "g6",
        "sales-emea": "sales-emea",
    }  # fmt: skip
    assert labels.text("group:g1:member") == "Engineering:member"
    assert labels.text("no key") == "no key" and labels.path("group:g1 > group:g6") == "Engineering > group:g6"


@pytest.mark.parametrize(("text", "id"), [("engineering", "g1"), (" Sales ", "g5"), ("group:g5", "g5"), ("g1", "g1")])
def test_a_group_is_asked_for_by_its_name(connection: Connection, text: str, id: str) -> None:
    """In any case, or by its id."""
    assert {row.role for row in connection.access(role=text)} == {id}


@pytest.mark.parametrize("text", ["Design", "g5"])
def test_a_name_that_may_mean_two_groups_is_ambiguous(connection: Connection, text: str) -> None:
    """Two that are called alike, and an id that is another one's name: each is named with its id."""
    with pytest.raises(AmbiguousName, match="may be any of group:g"):
        connection.access(role=text)


def test_a_name_that_no_group_has_lists_those_there_are(connection: Connection) -> None:
    """By their names."""
    with pytest.raises(UnknownName) as raised:
        connection.access(role="Marketing")
    assert raised.value.hint == "there are: Design, Engineering, Sales, editor, g5, g6, sales-emea, viewer"


def test_a_hint_lists_ten_at_most(db: Path) -> None:
    """Of hundreds of groups, and says how many more there are."""
    many = [f"g{number:03}" for number in range(30)]
    page = Page(resources=tuple(map(group, many)), entitlements=tuple(map(membership, many)))
    connection = Script({None: first("all"), ("all", 0): page}).connect(db)
    connection.sync()
    with pytest.raises(UnknownName) as raised:
        connection.access(role="none")
    assert raised.value.hint is not None and raised.value.hint.endswith("g008 and 22 more")


def test_keys_of_labels_are_resources(connection: Connection) -> None:
    """And not entitlements: a group is called alike whatever is held on it."""
    assert connection.role_labels()[Key("group", "g1")] == "Engineering"
