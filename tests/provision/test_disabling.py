"""Disabling and enabling an account, as operations of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.directory import Directory, DirectoryConnector, directory

from connector_core import GuardRefused, UnknownName
from connector_core.host.connection import Connection

ADA = "ada@example.com"


@pytest.fixture
def app() -> Directory:
    app = Directory("g1")
    app.add("user", "1", login=ADA)
    app.add("user", "2", login="chief@example.com")
    app.members["g1"].add("user:1")
    return app


@pytest.fixture
def connection(app: Directory, tmp_path: Path) -> Iterator[Connection]:
    connector = DirectoryConnector()
    with directory(app, tmp_path, connector, protected=("chief@example.com",)) as connection:
        yield connection


def test_a_disabled_account_stays_without_access_and_is_enabled_again(connection: Connection, app: Directory) -> None:
    """Each is one write, verified by a read, known in the picture at once, and unchanged when it is so already."""
    done = connection.disable_account(ADA, yes=True)
    assert (done.kind, done.outcome, done.verified) == ("disable_account", "changed", True)
    assert [(r.status, r.role) for r in connection.access(user=ADA)] == [("disabled", None)]
    assert connection.disable_account(ADA).outcome == "unchanged"
    done = connection.enable_account("user:1")
    assert (done.kind, done.outcome, done.verified) == ("enable_account", "changed", True)
    assert connection.enable_account(ADA).outcome == "unchanged"
    assert [(r.status, r.role) for r in connection.access(user=ADA)] == [("enabled", "g1")]
    assert app.writes() == ["PATCH user/1", "PATCH user/1"]


def test_disabling_is_a_removal_for_the_guards(connection: Connection, app: Directory) -> None:
    """It needs to be confirmed, and a protected account is left alone."""
    with pytest.raises(GuardRefused, match=r"disabling .* needs to be confirmed") as raised:
        connection.disable_account(ADA)
    assert raised.value.guard == "confirmation"
    questions: list[str] = []
    connection.disable_account(ADA, dry_run=True, confirm=lambda text: bool(questions.append(text)))
    with pytest.raises(GuardRefused, match="not confirmed"):
        connection.disable_account(ADA, confirm=lambda text: bool(questions.append(text)))
    assert questions == [f"This takes all access from {ADA}."]
    with pytest.raises(GuardRefused, match="is protected"):
        connection.disable_account("chief@example.com", yes=True)
    assert app.writes() == []


def test_a_dry_run_shows_the_request_that_disables(connection: Connection, app: Directory) -> None:
    """Nothing is sent."""
    planned = connection.disable_account(ADA, dry_run=True)
    assert planned.request is not None
    assert (planned.state, planned.request.method, planned.request.body) == ("planned", "PATCH", {"status": "disabled"})
    assert app.writes() == []


def test_an_account_whose_status_is_not_said_is_disabled_unverified(connection: Connection, app: Directory) -> None:
    """It is sent, and nothing is called seen that was not."""
    app.things["user/1"]["status"] = "unknown"
    done = connection.disable_account(ADA, yes=True)
    assert (done.outcome, app.things["user/1"]["status"]) == ("changed", "disabled")


def test_an_account_that_is_gone_is_not_enabled(connection: Connection, app: Directory) -> None:
    """Known and gone is `unchanged` for a removal, and an error for enabling; a name never heard of is one."""
    del app.things["user/1"]
    assert connection.disable_account(ADA).outcome == "unchanged"
    with pytest.raises(UnknownName):
        connection.enable_account(ADA)
    with pytest.raises(UnknownName):
        connection.disable_account("eve@example.com", yes=True)


def test_what_a_person_disabled_here_is_no_loss_that_holds_a_sync(connection: Connection, app: Directory) -> None:
    """The sync after it is complete."""
    connection.disable_account(ADA, yes=True)
    assert connection.sync().sync.status == "complete"
