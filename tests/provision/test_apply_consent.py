"""`Connection.apply` asks for what `delete_account` asks for: a removal is confirmed, and a dry run leaves no trace."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.plan import connect, csv_of, login, office
from kit.served import ServedWorkspace

from connector_core.errors import GuardRefused, UnknownName
from connector_core.provision.plan import Plan

STAFF = {login(n): "" for n in range(1, 9)}
NEW = "new@example.com"


def with_a_removal(here: ServedWorkspace, folder: Path) -> Plan:
    return connect(here, folder).plan(csv_of(folder, {**STAFF, NEW: "viewer"}), prune=True)


def test_a_removal_by_a_plan_needs_to_be_confirmed(tmp_path: Path) -> None:
    """Neither ``yes`` nor ``confirm``: refused by the guard `confirmation`, and no step is carried out."""
    with office(9) as here:
        plan = with_a_removal(here, tmp_path)
        with pytest.raises(GuardRefused, match="needs to be confirmed") as caught:
            connect(here, tmp_path).apply(plan)
        assert (caught.value.guard, here.writes()) == ("confirmation", 0)


@pytest.mark.parametrize("consent", [{"yes": True}, {"confirm": lambda question: True}])
def test_a_confirmed_removal_is_carried_out(tmp_path: Path, consent: dict[str, bool]) -> None:
    """By ``yes=True``, or by ``confirm=``, which is asked about the whole plan."""
    with office(9) as here:
        plan = with_a_removal(here, tmp_path)
        assert connect(here, tmp_path).apply(plan, **consent).count("changed") == 2
        assert login(9) not in here.truth


def test_a_dry_run_of_a_plan_leaves_no_row(tmp_path: Path) -> None:
    """Each line shows its request; nothing is written, kept, or to be taken back, and the plan is still to be done."""
    with office(9) as here:
        plan, connection = with_a_removal(here, tmp_path), connect(here, tmp_path)
        report = connection.apply(plan, dry_run=True)
        assert (report.id, report.status, here.writes()) == (None, "complete", 0)
        requests = [line.operation and line.operation.request for line in report.lines]
        assert [request and request.method for request in requests] == ["POST", "DELETE"]
        assert connection.operations() == ()
        with pytest.raises(UnknownName):
            connection.plan()
        assert connection.apply(plan, yes=True).status == "complete"
