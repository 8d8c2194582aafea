"""What a page refers to without a whole name, or with a type that is not declared: named, counted, and no more lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.sync import EDITOR, ROLES, Script, editor, first, group, member, membership, rows, user

from connector_core import (
    Connection,
    Cursor,
    Entitlement,
    EntitlementKey,
    Grant,
    Host,
    Key,
    Manifest,
    Page,
    PluginError,
    Resource,
    ResourceType,
    RowRejected,
    SyncReport,
    hookimpl,
)
from connector_core.connectors.plugins import Plugins
from connector_core.connectors.references import DeclaredTypes, within_references

WHOLE = Page(resources=(user("ada"), user("bo"), *ROLES), grants=(editor("ada"), editor("bo")))
ROBOT = Key("robot", "r2")
HELD = {("ada", "editor"), ("bo", "editor")}


class NewScript(Script):
    """A script of contract 2."""

    @hookimpl
    def connector_manifest(self, settings: Any) -> Manifest:
        return evolve(super().connector_manifest(settings), contract=2)


def synced(folder: Path, page: Page, kind: type[Script] = NewScript) -> tuple[SyncReport, Connection]:
    """The sync of that page after one of the whole page, and its connection."""
    single = {r.key: Page(resources=(r,)) for r in WHOLE.resources}
    for each in (WHOLE, page):
        script = kind({None: first("users"), ("users", 0): each, ("more", 0): Page(resources=(user("cy"),))})
        script.single |= single
        connection = script.connect(folder / "s.db")
        report = connection.sync()
    return report, connection


def held(connection: Connection) -> set[tuple[str, str | None]]:
    return {(row.user_id, row.role) for row in rows(connection)}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"resources": (Resource(type="robot", id="r2"),)}, "gave resources of the type 'robot', which its manifest"),
        ({"grants": (Grant(EDITOR, ROBOT),)}, "gave grants to principals of the type 'robot', which its manifest"),
        (
            {"grants": (Grant(EntitlementKey("project", "p", "owner"), Key("user", "ada")),)},
            "gave grants on resources of the type 'project', which its manifest does not declare",
        ),
        (
            {"entitlements": (Entitlement(resource=Key("project", "p"), slug="owner", name="Owner"),)},
            "gave entitlements on resources of the type 'project', which its manifest does not declare",
        ),
        ({"grants": (Grant(EDITOR, Key("user", "")),)}, "gave a grant in which a name is missing or is no text"),
        ({"grants": (Grant(EDITOR, Key("user", None)),)}, "gave a grant in which a name is missing"),  # type: ignore[arg-type]
        ({"grants": (Grant(EDITOR, Key("user", ["ada"])),)}, "gave a grant in which a name is missing"),  # type: ignore[arg-type]
        ({"grants": (Grant(EntitlementKey("role", "", "x"), Key("user", "ada")),)}, "gave a grant in which a name"),
        (
            {"entitlements": (Entitlement(resource=Key("role", 5), slug="x", name="X"),)},  # type: ignore[arg-type]
            "gave an entitlement in which a name is missing or is no text",
        ),
    ],
)  # fmt: skip
def test_what_refers_to_nothing_is_named_and_set_aside_alone(tmp_path: Path, more: dict[str, Any], reason: str) -> None:
    """With plugin, hook and what; it is counted, the sync is incomplete, and all else of the page is taken."""
    page = evolve(WHOLE, resources=(*WHOLE.resources, user("dan")), grants=(*WHOLE.grants, editor("dan")))
    report, connection = synced(tmp_path, evolve(page, **{k: (*getattr(page, k), *v) for k, v in more.items()}))
    assert (report.sync.status, report.rejected) == ("incomplete", 1)
    assert f"row rejected: sync_page of the plugin script {reason}" in report.warnings[0]
    assert held(connection) == {*HELD, ("dan", "editor")}


def test_a_row_that_is_lost_by_it_stands_as_it_was(tmp_path: Path) -> None:
    """What the page gave before is neither ended nor proven gone."""
    page = evolve(WHOLE, grants=(Grant(EDITOR, Key("usr", "ada")), editor("bo")))
    report, connection = synced(tmp_path, page)
    assert (report.sync.status, report.rejected, report.changes.total) == ("incomplete", 1, 0)
    assert held(connection) == HELD


@pytest.mark.parametrize("position", ["\ud800", float("nan"), {1}, {1: 2}, b"x"], ids=repr)
def test_a_position_that_is_no_json_loses_what_is_behind_it_alone(tmp_path: Path, position: Any) -> None:
    """It is named; other streams are read, the page's own rows are taken, and no row behind it ends."""
    page = Page(resources=(user("ada"), *ROLES), grants=(editor("ada"),), next=(Cursor("users", position),))
    report, connection = synced(tmp_path, evolve(page, next=(*page.next, Cursor("more", 0))))
    assert (report.sync.status, report.rejected) == ("incomplete", 1)
    assert "sync_page of the plugin script gave a cursor that is not JSON: Cursor(" in report.warnings[0]
    assert held(connection) == {*HELD, ("cy", None)}


def test_very_many_rows_of_one_type_are_counted_and_named_once(tmp_path: Path) -> None:
    """The log has a line a page, and not a line a row."""
    grants = tuple(Grant(EDITOR, Key("robot", str(number))) for number in range(2000))
    report, connection = synced(tmp_path, evolve(WHOLE, grants=(*WHOLE.grants, *grants)))
    assert report.rejected == 2000
    assert sum("'robot'" in line.message for line in connection.logs(report.sync.id)) == 1


def test_a_grant_to_one_that_no_list_gives_is_named(tmp_path: Path) -> None:
    """It is not shown, and a warning counts such holders; one that was listed earlier is looked up, as ever."""
    page = evolve(WHOLE, grants=(*WHOLE.grants, editor("ghost"), editor("spirit"), Grant(EDITOR, ROLES[0].key)))
    report, connection = synced(tmp_path, page)
    assert (report.sync.status, held(connection)) == ("complete", HELD)
    said = "2 principals of grants are in no list, such as user:ghost: what they hold is not shown"
    assert report.warnings == (said,)


def test_a_plugin_of_contract_1_may_give_types_that_it_does_not_declare(tmp_path: Path) -> None:
    """As ever; a warning names them, and the sync is complete."""
    page = evolve(WHOLE, grants=(*WHOLE.grants, Grant(EDITOR, ROBOT)))
    report, connection = synced(tmp_path, page, kind=Script)
    assert (report.sync.status, report.rejected, held(connection)) == ("complete", 0, HELD)
    assert any("gave grants to principals of the type 'robot', which its manifest" in w for w in report.warnings)


def test_a_look_up_with_such_a_reference_proves_nothing(tmp_path: Path) -> None:
    """An account that is not listed, and whose own read breaks the contract, stays as it was."""
    script = NewScript({None: first("users"), ("users", 0): WHOLE})
    script.connect(tmp_path / "s.db").sync()
    script.pages["users", 0] = evolve(WHOLE, resources=(user("bo"), *ROLES), grants=(editor("bo"),))
    script.single[Key("user", "ada")] = Page(resources=(user("ada"),), grants=(Grant(EDITOR, ROBOT),))
    connection = script.connect(tmp_path / "s.db")
    assert connection.sync().sync.status == "incomplete"
    assert held(connection) == HELD


def test_an_answer_about_one_account_with_such_a_reference_is_an_error() -> None:
    """Set aside, it would pass for an account that holds nothing."""
    script = NewScript({}, single={Key("user", "ada"): Page(resources=(user("ada"),), grants=(Grant(EDITOR, ROBOT),))})
    connector = Plugins({"script": script}, entry_point_group=None).connector("script")
    with pytest.raises(RowRejected, match="sync_resource of the plugin script gave grants to principals"):
        connector.sync_resource(script, user("ada"))


def test_a_manifest_whose_types_are_none_is_broken(tmp_path: Path) -> None:
    """It is said in `plugins`, by the plugin's name."""
    for types in (("user",), (ResourceType(type=["user"], display_name=""),)):  # type: ignore[arg-type]
        script = NewScript({})
        script.types = types  # type: ignore[assignment]
        with Host(tmp_path / "s.db", plugins={"script": script}, installed=False) as host:
            (row,) = host.plugins()
            assert "the plugin script broke its contract: connector_manifest answered" in str(row.error)
            with pytest.raises(PluginError, match="broke its contract"):
                host.connection("script").sync()


def test_a_manifest_with_entitlements_on_a_type_that_it_does_not_declare_is_broken() -> None:
    """By the type's name; one of contract 1 works, with a note that says what contract 2 refuses."""
    said = "its manifest has entitlements on resources of the type 'role', which it does not declare"
    for kind in (Script, NewScript):
        script = kind({})
        script.types = tuple(each for each in script.types if each.type != "role")
        (row,) = Plugins({"script": script}, entry_point_group=None).rows()
        if kind is NewScript:
            assert f"the plugin script broke its contract: {said}" in str(row.error)
        else:
            assert (row.error, f"{said}: contract 2 refuses them" in row.notes) == (None, True)


def test_a_page_without_fault_is_the_same_page() -> None:
    """No copy is made of what needs none."""
    page = Page(resources=(group("g"),), entitlements=(membership("g"),), grants=(member("a", "g"),))
    declared = DeclaredTypes(frozenset({"user", "group"}), strict=True)
    assert within_references(page, "a test", declared) is page
