"""Defects that a reader found in provisioning, each with the scenario that showed it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.provision import ADA, BOB, EVE, SCIM_404, answer, hang_up, nothing_listed, scene

from connector_core.errors import AmbiguousName, ApplicationError
from connector_core.testing import Switches

MAINTENANCE = answer(
    400, {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "400", "detail": "maintenance"}
)


@pytest.mark.parametrize("again", [False, True])
def test_who_was_renamed_is_not_gone(tmp_path: Path, again: bool) -> None:
    """Nobody has the old name any more, and the person still has access: to be named by id."""
    with scene(tmp_path) as here:
        here.connection.sync()
        ada = here.workspace.find(ADA)
        assert ada is not None
        here.workspace.replace(evolve(ada, login="ada.jones@example.com", email="ada.jones@example.com"))
        if again:
            here.connection.sync()
        with pytest.raises(AmbiguousName, match=r"ada\.jones@example\.com"):
            here.connection.delete_account(ADA, yes=True)
        with pytest.raises(AmbiguousName):
            here.connection.revoke("editor", ADA)
        assert here.connection.delete_account(ada.id, yes=True).outcome == "changed"


def test_p55_a_refused_read_of_a_known_id_proves_nothing(tmp_path: Path) -> None:
    """Listings that hide somebody and a 400 on their id together do not make them gone."""
    with scene(tmp_path) as here:
        here.connection.sync()
        here.faults.on("GET", nothing_listed, path="/Users?")
        here.faults.on("GET", MAINTENANCE, path="/Users/")
        with pytest.raises(ApplicationError):
            here.connection.delete_account(ADA, yes=True)
        assert here.picture()[ADA] == "editor"


@pytest.mark.parametrize("kind", ["grant", "revoke"])
def test_w14_settling_leaves_an_invited_account_in_the_picture(tmp_path: Path, kind: str) -> None:
    """That nobody sees an invited person yet proves nothing about what was sent for them."""
    with scene(tmp_path, switches=Switches(pending_hidden=True)) as here:
        here.connection.sync()
        here.faults.on("GET", SCIM_404, path="/Users/")
        here.connection.create_account(EVE, role="editor")
        here.faults.on("PATCH", hang_up, path="/Users/", times=1)
        change = here.connection.grant if kind == "grant" else here.connection.revoke
        assert change("viewer" if kind == "grant" else "editor", EVE).state == "unknown"
        here.restart()
        here.connection.sync()
        assert EVE in here.picture()
        assert not [o for o in here.connection.operations() if o.kind == kind and o.verified]
        here.connection.create_account(EVE)
        assert here.faults.writes()["POST"] == 1


def test_p19_an_old_sync_is_no_reason_to_send_nothing(tmp_path: Path) -> None:
    """Where roles cannot be read, only a repeat of an operation is known to be so already."""
    with scene(tmp_path) as here:
        here.connection.sync()
        here.served.app.switches = Switches(hide_role=True)
        here.workspace.set_role(here.id(BOB), True)  # promoted by hand
        here.connection.sync()
        assert here.connection.revoke("editor", BOB).outcome == "changed"
        assert here.truth()[BOB] == "viewer"
        assert here.connection.revoke("editor", BOB).outcome == "unchanged"


def test_a_planned_role_that_was_not_given_is_no_complete_apply(tmp_path: Path) -> None:
    """A server may take the account and leave out the role."""

    def without_role(app: Any, environ: Any, start: Any) -> Any:
        document = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        body = json.dumps({k: v for k, v in document.items() if "extension" not in k}).encode()
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        return app(environ, start)

    with scene(tmp_path, switches=Switches(default_role=False)) as here:
        here.faults.on("POST", without_role)
        people = tmp_path / "people.csv"
        people.write_text(f"email,role\n{EVE},editor\n")
        report = here.connection.apply(here.connection.plan(people))
        assert (report.status, [line.ended for line in report.lines]) == ("partial", ["differs"])


def test_p60_undo_leaves_somebody_elses_new_account_alone(tmp_path: Path) -> None:
    """Who was created, deleted by others and created again is another account."""
    with scene(tmp_path) as here:
        people = tmp_path / "people.csv"
        people.write_text(f"email,role\n{EVE},editor\n")
        here.connection.apply(here.connection.plan(people))
        here.workspace.remove(here.id(EVE))
        here.workspace.add(EVE, email=EVE, role=False)
        plan = here.connection.plan()
        assert plan.steps == ()
        assert "another account" in plan.warnings[0]


def test_pruning_somebody_whose_login_cannot_be_printed(tmp_path: Path) -> None:
    """They are named by their id, and the plan can be made."""
    with scene(tmp_path) as here:
        strange = here.workspace.add("x\u200bx@example.com", email="x\u200bx@example.com", role=False)
        people = tmp_path / "people.csv"
        people.write_text(f"email\n{ADA}\n{BOB}\n")
        assert [step.user for step in here.connection.plan(people, prune=True).steps] == [strange.id]
