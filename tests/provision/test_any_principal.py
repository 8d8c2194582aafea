"""Grants to accounts of any type and to groups: USER is ``type:id``, a login, or the name of a group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.directory import Directory, directory

from connector_core import AmbiguousName, GuardRefused, ResourceType, UnknownName, UsageError
from connector_core.host.connection import Connection

ADA = "ada@example.com"


@pytest.fixture
def app() -> Directory:
    app = Directory("g1", "g2", "g3")
    app.things["group/g2"]["name"] = "Night Shift"
    app.add("user", "1", login=ADA)
    app.add("service", "7", login="backup")
    return app


@pytest.fixture
def connection(app: Directory, tmp_path: Path) -> Iterator[Connection]:
    with directory(app, tmp_path, protected=("ada@example.com",)) as connection:
        yield connection


def test_a_type_with_accounts_is_a_principal_unless_it_says_otherwise() -> None:
    """Groups say so themselves."""
    assert ResourceType(type="user", display_name="User", traits=("user",)).principal
    assert not ResourceType(type="user", display_name="User", traits=("user",), principal=False).principal
    assert not ResourceType(type="group", display_name="Group", traits=("group",)).principal


@pytest.mark.parametrize(
    ("user", "key", "called"),
    [
        ("service:7", "service:7", "backup"),
        ("Backup", "service:7", "backup"),
        ("7", "service:7", "backup"),
        ("group:g2", "group:g2", "Night Shift"),
        ("g2", "group:g2", "Night Shift"),
        ("night shift", "group:g2", "Night Shift"),
    ],
)
def test_a_grant_to_any_principal(connection: Connection, app: Directory, user: str, key: str, called: str) -> None:
    """It is written for that very principal, known in the journal by its name, and taken back by the same text."""
    done = connection.grant("g1", user)
    assert (done.outcome, f"{done.user_id}", done.user) == ("changed", key.split(":")[1], called)
    assert app.members["g1"] == {key}
    assert connection.grant("g1", user).outcome == "unchanged"
    assert connection.revoke("g1", user).outcome == "changed"
    assert (app.members["g1"], len(app.writes())) == (set(), 2)


def test_the_picture_shows_what_members_inherit_at_once(connection: Connection, app: Directory) -> None:
    """A member of a group holds what the group was granted, before any sync."""
    connection.grant("g2", ADA)
    connection.grant("g1", "group:g2")
    rows = {(row.role, row.via is not None) for row in connection.access(user=ADA)}
    assert rows == {("g2", False), ("g1", True)}
    connection.sync()
    assert {(row.role, row.via is not None) for row in connection.access(user=ADA)} == rows


def test_what_a_protected_member_inherits_is_not_taken_from_the_group(connection: Connection, app: Directory) -> None:
    """The guard names the member; the switch that allows it is the one for accounts."""
    connection.grant("g2", ADA)
    connection.grant("g1", "group:g2")
    with pytest.raises(GuardRefused, match="is protected, and inherits what Night Shift holds"):
        connection.revoke("g1", "group:g2")
    assert connection.revoke("g1", "group:g2", include_protected=True).outcome == "changed"


def test_a_name_of_a_group_and_of_an_account_is_ambiguous(connection: Connection, app: Directory) -> None:
    """Both are named, and nothing is written."""
    app.add("user", "9", login="night shift")
    with pytest.raises(AmbiguousName, match="user:9, group:g2"):
        connection.grant("g1", "night shift")
    assert app.writes() == []


def test_a_group_that_bears_another_name_now_is_not_meant(connection: Connection, app: Directory) -> None:
    """The picture finds it, and the application decides."""
    app.things["group/g2"]["name"] = "Day Shift"
    with pytest.raises(UnknownName):
        connection.grant("g1", "Night Shift")


def test_what_holds_nothing_is_no_principal(connection: Connection, app: Directory) -> None:
    """The error says which types can."""
    app.add("site", "s1")
    with pytest.raises(UnknownName) as raised:
        connection.grant("g1", "site:s1")
    assert raised.value.hint == "a site holds nothing: only user, service, group can"
    with pytest.raises(UnknownName, match="no group with the id 'g9'"):
        connection.grant("g1", "group:g9")


def test_only_an_account_is_deleted(connection: Connection) -> None:
    """A group's name is none for delete-user."""
    with pytest.raises(UnknownName):
        connection.delete_account("Night Shift", yes=True)


def test_an_account_of_each_type_is_created(connection: Connection, app: Directory) -> None:
    """Of the type asked for, by default the first; a login of another type's account is refused, and so is no type."""
    done = connection.create_account("robot@example.com", type="service")
    assert (done.outcome, app.things[f"service/{done.user_id}"]["login"]) == ("changed", "robot@example.com")
    assert connection.create_account("robot@example.com", type="service").outcome == "unchanged"
    with pytest.raises(UsageError, match="is the login of an account of the type service"):
        connection.create_account("robot@example.com")
    with pytest.raises(UsageError, match="'group' is no type of accounts"):
        connection.create_account("x@example.com", type="group")
    done = connection.create_account("eve@example.com")
    assert f"user/{done.user_id}" in app.things
