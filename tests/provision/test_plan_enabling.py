"""A plan that enables a disabled account: once, finished after a kill, and never against a later decision."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from kit.plan import connect, csv_of, office
from kit.served import ServedWorkspace

from connector_core.errors import GuardRefused
from connector_core.provision.apply import Line
from connector_core.provision.plan import Plan

EVE, NEW = "eve@example.com", "aaa@example.com"
DECLINED = b'{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"no seat is free","status":"400"}'


def planned(here: ServedWorkspace, folder: Path, role: str) -> Plan:
    """Eve, disabled, is to come back with that role."""
    here.workspace.add(EVE, email=EVE, role=False, active=False)
    return connect(here, folder).plan(csv_of(folder, {NEW: "viewer", EVE: role}))


def turn(here: ServedWorkspace, **facts: bool) -> None:
    eve = here.workspace.find(EVE)
    assert eve is not None
    here.workspace.replace(evolve(eve, **facts))


def enabled_in_part(here: ServedWorkspace, folder: Path) -> Plan:
    """Eve was enabled, and the grant of editor declined."""
    plan = planned(here, folder, "editor")
    patches = iter([None])
    here.before = lambda method, target: next(patches, (400, DECLINED)) if method == "PATCH" else None
    assert connect(here, folder).apply(plan).status == "partial"
    here.before = lambda method, target: None
    assert here.truth[EVE] == "viewer"
    return plan


@pytest.mark.parametrize("synced", [True, False])
def test_an_account_that_was_disabled_again_is_not_enabled_twice(tmp_path: Path, synced: bool) -> None:
    """Enabled by an apply in part, disabled since by an administrator: exit 8, and no write."""
    with office(5) as here:
        plan = enabled_in_part(here, tmp_path)
        turn(here, active=False)
        connection = connect(here, tmp_path)
        if synced:
            connection.sync()
        sent = here.writes()
        with pytest.raises(GuardRefused, match="and disabled again since") as caught:
            connection.apply(plan)
        assert (caught.value.exit_code, here.writes()) == (8, sent)


def test_an_apply_that_failed_after_enabling_finishes(tmp_path: Path) -> None:
    """Enabled, and the role declined: the same apply grants it, as nothing was decided since."""
    with office(5) as here:
        plan = enabled_in_part(here, tmp_path)
        assert connect(here, tmp_path).apply(plan).status == "complete"
        assert here.truth[EVE] == "editor"


def test_a_role_that_was_changed_after_enabling_is_a_difference(tmp_path: Path) -> None:
    """Enabled by the plan with the viewer's role of old, made an editor since: the plan's role does not end that."""
    with office(5) as here:
        here.workspace.add(EVE, email=EVE, role=False, active=False)
        plan = connect(here, tmp_path).plan(csv_of(tmp_path, {NEW: "editor", EVE: "editor"}))
        patches = iter([None])
        here.before = lambda method, target: next(patches, (400, DECLINED)) if method == "PATCH" else None
        connect(here, tmp_path).apply(plan)
        here.before = lambda method, target: None
        turn(here, role=True)
        connect(here, tmp_path).sync()
        turn(here, role=False)
        sent = here.writes()
        with pytest.raises(GuardRefused, match="is enabled and holds viewer"):
            connect(here, tmp_path).apply(plan)
        assert here.writes() == sent


def test_an_account_that_was_enabled_on_the_way_is_left_as_it_is(tmp_path: Path) -> None:
    """Disabled when the accounts were looked over, an enabled editor just before its write: `differs`, and no write."""
    with office(5) as here:
        plan = planned(here, tmp_path, "viewer")

        def meddle(line: Line) -> None:
            if line.step.user == NEW:
                turn(here, active=True, role=True)

        report = connect(here, tmp_path).apply(plan, on_line=meddle)
        assert {line.step.user: line.ended for line in report.lines} == {NEW: "changed", EVE: "differs"}
        assert here.truth[EVE] == "editor"
