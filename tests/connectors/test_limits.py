"""What a page may hold: a row with a value that its field may not have is set aside, and texts without end are cut."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from attrs import evolve
from kit.sync import Script, editor, first, group, membership, rows, user
from pluggy import PluginManager

from connector_core import hookspecs
from connector_core.connectors.connector import Connector
from connector_core.connectors.limits import LONGEST, within_limits
from connector_core.errors import RowRejected
from connector_core.hookspecs import hookimpl
from connector_core.model import Key, Page
from connector_core.scim.reading import read_rows

PEOPLE = (user("ada"), user("bo\0b"), user("cy"))
GRANTS = (editor("ada"), editor("bo\0b"), editor("cy"))


def test_a_nul_in_an_id_rejects_that_row_only(tmp_path: Path) -> None:
    """The others are published; the sync is incomplete, and says why."""
    page = Page(resources=PEOPLE, grants=GRANTS)
    connection = Script({None: first("users"), ("users", 0): page}).connect(tmp_path / "s.db")
    report = connection.sync()
    assert (report.sync.status, report.rejected) == ("incomplete", 1)
    assert {(row.user_id, row.role) for row in rows(connection)} == {("ada", "editor"), ("cy", "editor")}
    assert any("NUL" in line.message for line in connection.logs())


WRONG = [
    ("status", "gone", "the status 'gone', and not one of enabled, disabled, pending, unknown"),
    ("status", None, "the status None, and not one of"),
    ("account_type", "robot", "the account_type 'robot', and not one of human, service, system, unknown"),
    ("last_login", "yesterday", "the last_login 'yesterday', and no time such as 2026-01-31T12:00:00Z"),
    ("last_login", "2026-01-31T12:00:00", "the last_login '2026-01-31T12:00:00', and no time"),
    ("created_at", 1738324800, "the created_at 1738324800, and no time"),
    ("mfa", "yes", "the mfa 'yes', and neither True, False nor None"),
    ("name", "\ud800", "with a value that is no Unicode text"),
    ("profile", {"k": "\ud800"}, "with a value that is no Unicode text"),
    ("name", b"x", "the name b'x', and no text"),
    ("login", {}, "the login {}, and no text"),
    ("email", ["a@b.example"], "the email ['a@b.example'], and no text"),
    (
        "profile",
        {"seen": datetime(2026, 1, 1)},
        "the profile {'seen': datetime.datetime(2026, 1, 1, 0, 0)}, and no JSON",
    ),
    ("profile", None, "the profile None, and no JSON object"),
    ("manager", Key("user", "cy"), "the manager Key(type='user', id='cy'), and no text"),
]


@pytest.mark.parametrize(("field", "value", "reason"), WRONG, ids=lambda value: str(value)[:20])
def test_a_value_that_breaks_the_contract_rejects_that_row(
    tmp_path: Path, field: str, value: object, reason: str
) -> None:
    """The reason names the plugin, the hook and the value; what was known of that account stands."""
    page = Page(resources=(user("ada"), user("bo")), grants=(editor("ada"), editor("bo")))
    Script({None: first("users"), ("users", 0): page}).connect(tmp_path / "s.db").sync()
    wrong = Page(resources=(user("ada", **{field: value}), user("bo")), grants=(editor("bo"),))
    connection = Script({None: first("users"), ("users", 0): wrong}).connect(tmp_path / "s.db")
    report = connection.sync()
    assert (report.sync.status, report.rejected, report.changes.total) == ("incomplete", 1, 0)
    assert f"row rejected (user:ada): sync_page of the plugin script gave user:ada {reason}" in report.warnings[0]
    assert {(row.user_id, row.role) for row in rows(connection)} == {("ada", "editor"), ("bo", "editor")}


def test_an_id_that_is_no_text_rejects_that_row(tmp_path: Path) -> None:
    """Half a character can be kept nowhere: the others and their grants are published."""
    page = Page(resources=(user("a\ud800"), user("bo")), grants=(editor("a\ud800"), editor("bo")))
    connection = Script({None: first("users"), ("users", 0): page}).connect(tmp_path / "s.db")
    report = connection.sync()
    assert (report.sync.status, report.rejected) == ("incomplete", 1)
    assert "gave user:a\\ud800 with a value" in report.warnings[0]
    assert {(row.user_id, row.role) for row in rows(connection)} == {("bo", "editor")}


@pytest.mark.parametrize("facts", [{"name": "\ud800"}, {"name": b"x"}, {"description": 7}, {"slug": None}], ids=str)
def test_an_entitlement_with_a_value_that_is_no_text_is_rejected_by_itself(
    tmp_path: Path, facts: dict[str, object]
) -> None:
    """By its resource; accounts, groups and other entitlements of the page are published."""
    odd = evolve(membership("g"), **facts)
    page = Page(resources=(user("ada"), group("g")), entitlements=(odd, membership("h")), grants=(editor("ada"),))
    connection = Script({None: first("users"), ("users", 0): page}).connect(tmp_path / "s.db")
    report = connection.sync()
    assert (report.sync.status, report.rejected) == ("incomplete", 1)
    assert "sync_page of the plugin script gave" in report.warnings[0] and "group:g" in report.warnings[0]
    assert {(row.user_id, row.role) for row in rows(connection)} == {("ada", "editor")}


@pytest.mark.parametrize("hook", ["sync_resource", "find_account"])
def test_a_read_of_one_account_with_such_a_value_is_no_absence(hook: str) -> None:
    """It is an error: an account that cannot be read must not pass for one that is not there."""
    one = Page(resources=(user("ada", status="gone"),))
    ask = {"sync_resource": {"resource": user("ada")}, "find_account": {"login": "ada@example.com"}}[hook]
    plugin = type("Plugin", (), {hook: hookimpl(lambda self: one)})()
    manager = PluginManager("connector_core")
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    with pytest.raises(RowRejected, match=f"{hook} of the plugin rude gave user:ada the status 'gone'"):
        getattr(Connector("rude", "1", manager), hook)(None, **ask)


def test_a_look_up_with_such_a_value_proves_nothing(tmp_path: Path) -> None:
    """An account that is not listed, and whose own read breaks the contract, stays as it was."""
    page = Page(resources=(user("ada"), user("bo")), grants=(editor("ada"), editor("bo")))
    Script({None: first("users"), ("users", 0): page}).connect(tmp_path / "s.db").sync()
    without = Page(resources=(user("bo"),), grants=(editor("bo"),))
    single = {user("ada").key: Page(resources=(user("ada", mfa="yes"),))}
    connection = Script({None: first("users"), ("users", 0): without}, single=single).connect(tmp_path / "s.db")
    assert connection.sync().sync.status == "incomplete"
    assert {row.user_id for row in rows(connection)} == {"ada", "bo"}


def test_a_page_as_it_should_be_is_the_same_page() -> None:
    """No copy is made of what needs none."""
    page = Page(resources=PEOPLE[::2], grants=GRANTS[::2])
    assert within_limits(page, "a test") is page


@pytest.mark.parametrize("name", ["name", "login", "email", "manager", "profile"])
def test_a_value_over_4_kb_is_cut_with_a_warning(tmp_path: Path, name: str) -> None:
    """The row is kept, the value ends with an ellipsis, and the sync is complete."""
    endless = "x" * 2 * LONGEST
    facts = {name: {"note": endless, "floor": 3} if name == "profile" else endless}
    page = Page(resources=(user("ada", **facts), user("bo")), grants=(editor("ada"), editor("bo")))
    connection = Script({None: first("users"), ("users", 0): page}).connect(tmp_path / "s.db")
    report = connection.sync()
    assert (report.sync.status, report.counts.user) == ("complete", 2)
    assert report.warnings == (f"user:ada: a value of more than {LONGEST:,} characters was cut",)
    (cut,) = within_limits(page, "a test").resources[:1]
    kept = cut.profile["note"] if name == "profile" else getattr(cut, name)
    assert kept == "x" * (LONGEST - 1) + "…"
    assert name != "profile" or cut.profile["floor"] == 3


def test_a_scim_id_with_a_nul_reaches_the_limit(tmp_path: Path) -> None:
    """SCIM rows are read as they are sent; the host sets the id aside for every connector alike."""
    assert list(read_rows([{"id": "a\0b"}], "user", lambda row, found: found).read) == ["a\0b"]
