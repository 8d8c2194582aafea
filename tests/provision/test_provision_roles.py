"""Roles, coming back, leaving, and what is refused: as section 5 of the design says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.provision import ADA, BOB, EVE, SCIM_404, Scene, answer, reply, scene, variant
from kit.served import TOKEN

from connector_core.errors import AmbiguousName, GuardRefused, UnknownName, Unsupported, UsageError
from connector_core.model import EntitlementKey, Key, Operation
from connector_core.provision.desired_state import Differs
from connector_core.provision.requests import Requests
from connector_core.testing import FakeClock, ScimApp, Switches

DAY = 86_400.0


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as it:
        yield it


def facts(operation: Operation) -> tuple[Any, ...]:
    return operation.kind, operation.state, operation.outcome, operation.verified, operation.replaced


# -- roles -----------------------------------------------------------------------------------------------------


def test_granting_editor_replaces_viewer(here: Scene) -> None:
    """One request; the other role ends, and the answer names it."""
    assert facts(here.connection.grant("editor", "BOB@Example.com")) == ("grant", "done", "changed", True, "viewer")
    assert here.faults.writes() == {"PATCH": 1}


def test_granting_viewer_replaces_editor(here: Scene) -> None:
    """Roles are absolute."""
    assert facts(here.connection.grant("role:viewer:assigned", here.id(ADA)))[2:] == ("changed", True, "editor")
    assert here.truth()[ADA] == "viewer"


def test_revoking_editor_falls_back_to_viewer(here: Scene) -> None:
    """The member stays, and no confirmation is needed."""
    here.connection.sync()
    assert facts(here.connection.revoke("editor", ADA)) == ("revoke", "done", "changed", True, None)
    assert here.truth()[ADA] == here.picture()[ADA] == "viewer"


def test_revoking_viewer_is_a_removal(here: Scene) -> None:
    """It needs a yes, or a person's: asked with a sentence that says what it means."""
    here.connection.sync()
    with pytest.raises(GuardRefused, match="needs to be confirmed"):
        here.connection.revoke("viewer", BOB)
    asked: list[str] = []
    with pytest.raises(GuardRefused, match="was not confirmed"):
        here.connection.revoke("viewer", BOB, confirm=lambda text: bool(asked.append(text)))
    assert "removes bob@example.com" in asked[0]
    assert "72 hours" in asked[0]
    assert here.faults.writes() == {}
    assert facts(here.connection.revoke("viewer", BOB, confirm=lambda _: True))[1:4] == ("done", "changed", True)
    assert here.truth() == here.picture() == {ADA: "editor"}


def test_revoking_viewer_can_be_refused(tmp_path: Path) -> None:
    """``viewer_revoke = "refuse"``: whatever is confirmed."""
    with scene(tmp_path, settings={"viewer_revoke": "refuse"}) as here:
        with pytest.raises(GuardRefused, match="refused"):
            here.connection.revoke("viewer", BOB, yes=True, include_protected=True)
        assert here.faults.writes() == {}


@pytest.mark.parametrize(("role", "user"), [("viewer", ADA), ("editor", BOB)])
def test_revoking_a_role_not_held_changes_nothing(here: Scene, role: str, user: str) -> None:
    """No confirmation, no request, a success."""
    assert facts(here.connection.revoke(role, user))[1:] == ("done", "unchanged", True, None)
    assert here.faults.writes() == {}


def test_a_role_that_is_none(here: Scene) -> None:
    """Said before anything is asked of the application."""
    with pytest.raises(UnknownName, match="admin"):
        here.connection.grant("admin", BOB)
    assert here.faults.requests == []


@pytest.mark.parametrize("way", ["create_account", "grant", "revoke", "delete_account"])
def test_repeating_anything_changes_nothing(here: Scene, way: str) -> None:
    """No write, no yes needed, ``unchanged``; the journal has both."""
    arguments = {
        "create_account": (EVE,), "delete_account": (BOB,), "grant": ("editor", BOB), "revoke": ("viewer", BOB)
    }[way]  # fmt: skip
    ask: Callable[..., Operation] = getattr(here.connection, way)
    terms = {"yes": True} if way in ("delete_account", "revoke") else {}
    here.connection.sync()
    assert ask(*arguments, **terms).outcome == "changed"
    writes = here.faults.writes()
    assert [ask(*arguments).outcome for _ in range(2)] == ["unchanged", "unchanged"]
    assert here.faults.writes() == writes
    assert here.states() == ["done"] * 3
    assert here.connection.sync().changes.total == 0


# -- naming somebody -------------------------------------------------------------------------------------------


def test_somebody_never_heard_of(here: Scene) -> None:
    """An error that names who may be meant."""
    here.connection.sync()
    for ask in (
        lambda: here.connection.delete_account("bobb@example.com", yes=True),
        lambda: here.connection.revoke("viewer", "bobb@example.com", yes=True),
        lambda: here.connection.grant("viewer", "bobb@example.com"),
    ):
        with pytest.raises(UnknownName) as caught:
            ask()
        assert "bob@example.com" in (caught.value.hint or "")
    assert here.states() == []


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00b@example.com"])
def test_a_name_that_is_none(here: Scene, name: str) -> None:
    """Refused before any request."""
    for ask in (here.connection.create_account, here.connection.delete_account):
        with pytest.raises(UsageError):
            ask(name, yes=True)
    assert here.faults.requests == []


def test_somebody_known_who_is_gone(here: Scene) -> None:
    """Taking away is unchanged, by e-mail and by id; granting is an error that says so."""
    here.connection.sync()
    id = here.id(BOB)
    here.workspace.remove(id)
    assert here.connection.delete_account(BOB).outcome == "unchanged"
    assert here.connection.revoke("editor", id).outcome == "unchanged"
    with pytest.raises(UnknownName, match="no longer"):
        here.connection.grant("editor", BOB)
    assert here.faults.writes() == {}


def test_p60_an_id_is_never_replaced_by_a_name(here: Scene) -> None:
    """The person was created anew: the old id is gone, the new account stays."""
    here.connection.sync()
    old = here.id(BOB)
    here.workspace.remove(old)
    here.workspace.add(BOB, role=False)
    assert here.connection.delete_account(old, yes=True).outcome == "unchanged"
    with pytest.raises(UnknownName):
        here.connection.grant("editor", old)
    assert here.truth()[BOB] == "viewer"
    assert here.faults.writes() == {}
    assert here.connection.grant("editor", BOB).user_id == here.id(BOB) != old


def test_p27_an_id_with_an_at_sign(here: Scene) -> None:
    """One that the picture knows is an id, whatever it looks like."""
    here.workspace.add(EVE, id="CEC5@834d/0e1e", role=False)
    here.connection.sync()
    assert here.connection.grant("editor", "CEC5@834d/0e1e").user == EVE
    assert here.truth()[EVE] == "editor"


def test_p54_a_login_that_is_no_id(here: Scene) -> None:
    """A server that answers 400 to an id that it cannot read is asked for the login."""
    here.workspace.add("eve", role=False)
    here.faults.on("GET", answer(400, {"detail": "bad id"}), path="/Users/eve")
    assert here.connection.grant("editor", "eve").user_id == here.id("eve")


def test_p69_several_of_one_name(here: Scene) -> None:
    """An error; nobody is touched."""
    twin = {"id": "other", "userName": BOB.upper(), "active": True}
    here.faults.on("GET", reply(lambda s, h, b: (s, h, {**b, "Resources": [*b["Resources"], twin]})), path="filter=")
    with pytest.raises(AmbiguousName):
        here.connection.delete_account(BOB, yes=True)
    assert here.faults.writes() == {}


def test_p54_a_leaver_whose_id_is_a_bad_request_now(here: Scene) -> None:
    """A name that nobody has, and an id that the server calls none, are a person to be created."""
    here.connection.sync()
    here.faults.on("GET", answer(400, {"detail": "bad id"}), path=here.id(BOB))
    here.workspace.remove(here.id(BOB))
    assert here.connection.create_account(BOB).outcome == "changed"


def test_an_account_that_goes_by_another_name_now(here: Scene) -> None:
    """The picture knows the id under an old name: whoever has it now is somebody else."""
    here.connection.sync()
    bob = here.workspace.find(BOB)
    assert bob is not None
    here.workspace.replace(evolve(bob, login="robert@example.com", email="robert@example.com"))
    assert here.connection.create_account(BOB).outcome == "changed"
    assert len(here.workspace) == 3


@pytest.mark.parametrize("way", ["create_account", "delete_account"])
def test_p35_somebody_whose_row_cannot_be_read(here: Scene, way: str) -> None:
    """There, and unreadable, is neither gone nor free to be created: nothing is written."""
    here.connection.sync()

    def spoil(row: dict[str, Any]) -> dict[str, Any]:
        return {**row, "active": "perhaps"}

    here.faults.on(
        "GET", reply(lambda s, h, b: (s, h, {**b, "Resources": [spoil(r) for r in b["Resources"]]})), path="filter="
    )
    here.faults.on("GET", reply(lambda s, h, b: (s, h, spoil(b))), path="/Users/")
    for user in (BOB, here.id(BOB)) if way == "delete_account" else (BOB,):
        with pytest.raises(Exception, match="of no use"):
            getattr(here.connection, way)(user, yes=True)
    assert here.faults.writes() == {}
    assert here.states() == []


# -- coming back -----------------------------------------------------------------------------------------------


def disabled(here: Scene, login: str = EVE, role: bool = False) -> str:
    here.workspace.add(login, role=role, active=False)
    return here.id(login)


def test_creating_a_disabled_account_enables_it(here: Scene) -> None:
    """A step of its own in the journal; repeated, it is unchanged."""
    disabled(here)
    here.connection.sync()
    operation = here.connection.create_account(EVE, role="viewer")
    assert facts(operation) == ("create_account", "done", "changed", True, None)
    assert operation.reactivated
    main, step = here.connection.operations()
    assert (step.kind, step.state, step.outcome, step.part_of) == ("enable_account", "done", "changed", main.id)
    assert here.truth()[EVE] == here.picture()[EVE] == "viewer"
    assert here.connection.create_account(EVE).outcome == "unchanged"
    assert here.faults.writes() == {"PATCH": 1}


def test_creating_a_disabled_account_with_another_role(here: Scene) -> None:
    """Enabled, then granted: two steps, two requests, one answer."""
    id = disabled(here)
    operation = here.connection.create_account(EVE, role="editor")
    assert facts(operation)[:4] == ("create_account", "done", "changed", True)
    assert (operation.reactivated, operation.user_id, operation.warnings) == (True, id, ())
    main, grant, enable = here.connection.operations()
    assert [(o.kind, o.part_of) for o in (enable, grant)] == [("enable_account", main.id), ("grant", main.id)]
    assert here.truth()[EVE] == "editor"


def test_granting_to_a_disabled_account_enables_it(here: Scene) -> None:
    """First active, then the role."""
    disabled(here)
    operation = here.connection.grant("editor", EVE)
    assert (operation.kind, operation.outcome, operation.reactivated) == ("grant", "changed", True)
    assert here.truth()[EVE] == "editor"
    assert here.faults.writes() == {"PATCH": 2}
    assert here.connection.operations()[1].part_of == operation.id


def test_granting_what_a_disabled_account_held(here: Scene) -> None:
    """Enabling gives it back; that is a change, and one request."""
    disabled(here, role=True)
    operation = here.connection.grant("editor", EVE)
    assert (operation.outcome, operation.reactivated, operation.verified) == ("changed", True, True)
    assert here.faults.writes() == {"PATCH": 1}


def test_a_protected_account_comes_back_with_what_it_held(tmp_path: Path) -> None:
    """What the application gives it again is protected: only the switch takes it, and the refusal says so."""
    with scene(tmp_path, settings={"protected": (EVE,)}) as here:
        disabled(here, role=True)
        with pytest.raises(GuardRefused, match="protected") as refused:
            here.connection.grant("viewer", EVE)
        assert (refused.value.hint or "").startswith("the account was enabled")
        assert here.truth()[EVE] == "editor"
        assert here.connection.grant("viewer", EVE, include_protected=True).outcome == "changed"
        assert here.truth()[EVE] == "viewer"


def test_coming_back_that_fails_at_its_first_step(here: Scene) -> None:
    """The answer is in the words of what was asked for, and nothing follows the step."""
    disabled(here)
    here.faults.on("PATCH", answer(403, {"detail": "no seat"}))
    operation = here.connection.grant("editor", EVE)
    assert (operation.kind, operation.role, operation.state) == ("grant", "editor", "failed")
    assert here.faults.writes() == {"PATCH": 1}


def test_coming_back_without_the_hook_for_it(tmp_path: Path) -> None:
    """Said before anything is written."""
    plugins = variant()
    del plugins["odd"].provision_enable_account  # type: ignore[attr-defined]
    with scene(tmp_path, plugins=plugins, connector="odd") as here:
        disabled(here)
        with pytest.raises(Unsupported, match="provision_enable_account"):
            here.connection.grant("editor", EVE)
        assert here.states() == []


def test_creating_somebody_who_is_there(here: Scene) -> None:
    """Unchanged; a role that differs is said, and never altered unasked."""
    operation = here.connection.create_account(ADA, role="viewer")
    assert (operation.outcome, operation.verified) == ("unchanged", True)
    assert operation.warnings == ("they hold editor, not viewer; grant it if that is meant",)
    assert here.connection.create_account(ADA, role="editor").warnings == ()
    assert here.faults.writes() == {}


# -- guards ----------------------------------------------------------------------------------------------------


def test_an_unmanaged_connection_asks_the_application_nothing(here: Scene) -> None:
    """Refused before any request; also in a dry run."""
    here.managed = False
    connection = here.connection
    for ask in (
        lambda **t: connection.create_account(EVE, **t), lambda **t: connection.delete_account(BOB, **t),
        lambda **t: connection.grant("editor", BOB, **t), lambda **t: connection.revoke("editor", ADA, **t),
    ):  # fmt: skip
        for terms in ({"yes": True, "include_protected": True}, {"dry_run": True}):
            with pytest.raises(GuardRefused, match="unmanaged"):
                ask(**terms)
    assert here.faults.requests == []


@pytest.mark.parametrize("by", ["login", "email", "id"])
def test_the_protected_keep_what_they_have(tmp_path: Path, by: str) -> None:
    """Named by login, e-mail or id, in any case: neither removed nor downgraded, whatever is confirmed."""
    with scene(tmp_path, {ADA: True, BOB: False}) as here:
        chief = here.workspace.add("Chief", id="ID-7", email="The.Chief@example.com", role=True)
        here.settings["protected"] = ({"login": "CHIEF", "email": "the.chief@EXAMPLE.com", "id": "id-7"}[by],)
        connection = here.connection
        for name in ("chief", "ID-7"):
            for ask in (
                lambda name=name, **t: connection.delete_account(name, yes=True, **t),
                lambda name=name, **t: connection.revoke("editor", name, yes=True, **t),
                lambda name=name, **t: connection.grant("viewer", name, yes=True, **t),
            ):
                with pytest.raises(GuardRefused, match="protected"):
                    ask()
                with pytest.raises(GuardRefused, match="protected"):
                    ask(dry_run=True)
        assert here.faults.writes() == {}
        assert connection.grant("viewer", "chief", include_protected=True).outcome == "changed"
        here.workspace.set_role(chief.id, False)
        with pytest.raises(GuardRefused, match="protected"):
            connection.revoke("viewer", "chief", yes=True)


def test_the_protected_may_get_more(tmp_path: Path) -> None:
    """An upgrade takes nothing from them, and what is so already needs no leave."""
    with scene(tmp_path, settings={"protected": (ADA, BOB)}) as here:
        assert here.connection.grant("editor", BOB).outcome == "changed"
        assert here.connection.revoke("viewer", ADA).outcome == "unchanged"
        assert here.connection.create_account(ADA).outcome == "unchanged"


def test_the_protected_whose_role_cannot_be_read(tmp_path: Path) -> None:
    """What may be lost counts as lost."""
    with scene(tmp_path, switches=Switches(hide_role=True), settings={"protected": (ADA,)}) as here:
        with pytest.raises(GuardRefused, match="protected"):
            here.connection.grant("viewer", ADA)
        with pytest.raises(GuardRefused, match="protected"):
            here.connection.revoke("editor", ADA)
        assert here.connection.grant("editor", ADA).state == "done"


@pytest.mark.parametrize("terms", [{"yes": True}, {"dry_run": True}])
def test_a_removal_of_somebody_whose_role_is_unknown(tmp_path: Path, terms: dict[str, Any]) -> None:
    """Revoking Viewer could remove an editor: refused."""
    with scene(tmp_path, switches=Switches(hide_role=True)) as here:
        with pytest.raises(GuardRefused, match="cannot be read") as caught:
            here.connection.revoke("viewer", BOB, **terms)
        assert caught.value.exit_code == 8
        assert here.faults.writes() == {}


def test_an_account_that_is_not_as_planned(here: Scene) -> None:
    """Checked just before the write; a disabled one is not brought back against the plan."""
    viewer = frozenset({EntitlementKey("role", "viewer", "assigned")})
    editor = EntitlementKey("role", "editor", "assigned")
    with here.connection._provisioning(here.connection._connector(), {"yes": True}) as engine:
        requests = Requests(engine)
        with pytest.raises(Differs, match="holds editor, planned for viewer"):
            requests.delete(Key("user", here.id(ADA)), expected=viewer)
        with pytest.raises(Differs, match="no access"):
            requests.grant(editor, Key("user", disabled(here)), expected=viewer)
        with pytest.raises(Differs, match="no access"):
            requests.grant(editor, Key("user", "gone"), expected=viewer)
        assert requests.grant(editor, Key("user", here.id(ADA)), expected=viewer).outcome == "unchanged"
        assert requests.grant(editor, Key("user", here.id(BOB)), expected=viewer).outcome == "changed"
    assert here.faults.writes() == {"PATCH": 1}


# -- dry runs --------------------------------------------------------------------------------------------------


def test_a_dry_run_shows_the_request_and_sends_none(here: Scene) -> None:
    """Method, path and body; nothing in the journal, the picture as it was."""
    here.connection.sync()
    before = here.query("SELECT count(*) FROM events")
    connection = here.connection
    created = connection.create_account(EVE, role="editor", dry_run=True)
    granted = connection.grant("editor", BOB, dry_run=True)
    deleted = connection.delete_account(BOB, dry_run=True)
    same = connection.grant("editor", ADA, dry_run=True)
    assert [o.state for o in (created, granted, deleted, same)] == ["planned"] * 4
    assert [o.outcome for o in (created, granted, deleted, same)] == ["changed", "changed", "changed", "unchanged"]
    shown = [(o.request.method, o.request.path) for o in (created, granted, deleted) if o.request is not None]
    id = here.id(BOB)
    assert shown == [("POST", "/Users"), ("PATCH", f"/Users/{id}"), ("DELETE", f"/Users/{id}")]
    assert created.request is not None
    assert created.request.body["userName"] == EVE  # type: ignore[index, call-overload]
    assert granted.replaced == "viewer"
    assert same.request is None
    assert here.faults.writes() == {}
    assert here.states() == []
    assert here.query("SELECT count(*) FROM events") == before


def test_a_dry_run_of_coming_back(here: Scene) -> None:
    """It shows what was asked for, the request that comes first, and what follows."""
    disabled(here)
    operation = here.connection.grant("editor", EVE, dry_run=True)
    assert (operation.kind, operation.role, operation.reactivated) == ("grant", "editor", True)
    assert operation.request is not None
    assert operation.request.body["Operations"][0]["path"] == "active"  # type: ignore[index, call-overload]
    assert "editor is granted after that" in operation.warnings
    assert here.faults.writes() == {}


# -- a server that never shows the role ------------------------------------------------------------------------


def test_a_role_that_is_written_and_never_shown(tmp_path: Path) -> None:
    """Done, honestly unverified; in the picture, unconfirmed, through later syncs; repeated, unchanged."""
    with scene(tmp_path, switches=Switches(hide_role=True)) as here:
        connection = here.connection
        connection.sync()
        assert here.picture() == {ADA: None, BOB: None}
        operation = connection.grant("editor", BOB)
        assert (operation.state, operation.outcome, operation.verified) == ("done", "changed", False)
        assert "cannot be read back" in operation.warnings[0]
        for _ in range(2):
            (row,) = connection.access(user=BOB)
            assert (row.role, row.confirmed) == ("editor", False)
            assert connection.grant("editor", BOB).outcome == "unchanged"
            connection.sync()
        assert here.faults.writes() == {"PATCH": 1}
        assert connection.revoke("editor", BOB).state == "done"
        assert here.truth()[BOB] == here.picture()[BOB] == "viewer"
        assert connection.revoke("editor", BOB).outcome == "unchanged"
        assert here.faults.writes() == {"PATCH": 2}


def test_a_creation_whose_role_is_never_shown(tmp_path: Path) -> None:
    """The account is there, its role as asked for: unverified, unconfirmed, and a grant of it is unchanged."""
    with scene(tmp_path, switches=Switches(hide_role=True)) as here:
        connection = here.connection
        connection.sync()
        operation = connection.create_account(EVE, role="editor")
        assert (operation.state, operation.verified, here.truth()[EVE]) == ("done", False, "editor")
        connection.sync()
        (row,) = connection.access(user=EVE)
        assert (row.role, row.confirmed, row.status) == ("editor", False, "enabled")
        assert connection.grant("editor", EVE).outcome == "unchanged"
        assert connection.grant("viewer", EVE).replaced == "editor"
        assert here.truth()[EVE] == here.picture()[EVE] == "viewer"


# -- the invited -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readable", [True, False], ids=["by-id", "not-at-all"])
def test_w14_p14_an_invited_account(tmp_path: Path, readable: bool) -> None:
    """Pending, not created again, in the picture for 30 days; enabled once listed."""
    with scene(tmp_path, switches=Switches(pending_hidden=True)) as here:
        connection = here.connection
        connection.sync()
        if not readable:
            here.faults.on("GET", SCIM_404, path="/Users/")
        operation = connection.create_account(EVE, role="viewer")
        assert (operation.state, operation.outcome, operation.verified) == ("done", "changed", readable)
        assert "not listed yet" in operation.warnings[0]
        for days in (0, 7, 7, 7, 8):
            here.clock.advance(days * DAY)
            assert connection.sync().sync.status == "complete"
            (row,) = connection.access(user=EVE)
            assert (row.status, row.role, row.name) == ("pending", "viewer", EVE)
            again = connection.create_account(EVE, role="viewer")
            assert (again.outcome, again.user_id) == ("unchanged", here.id(EVE))
        assert here.faults.writes() == {"POST": 1}
        here.faults.rules.clear()
        here.workspace.log_in(here.id(EVE))
        connection.sync()
        assert connection.access(user=EVE)[0].status == "enabled"


def test_w14_an_invitation_that_nobody_took_up(tmp_path: Path) -> None:
    """After 30 days it is over; then the account may be created once more."""
    with scene(tmp_path, switches=Switches(pending_hidden=True)) as here:
        connection = here.connection
        connection.sync()
        here.faults.on("GET", SCIM_404, path="/Users/")
        connection.create_account(EVE)
        here.workspace.remove(here.id(EVE))
        for days in (7, 7, 7, 7, 1.9):
            here.clock.advance(days * DAY)
            connection.sync()
            assert EVE in here.picture()
        here.clock.advance(0.2 * DAY)
        connection.sync()
        assert EVE not in here.picture()
        assert connection.create_account(EVE).outcome == "changed"
        assert here.faults.writes() == {"POST": 2}


def test_w14_an_invitation_of_which_not_even_the_id_is_told(tmp_path: Path) -> None:
    """Nothing to show, and not created again for 30 days; who names them is told."""
    with scene(tmp_path, switches=Switches(pending_hidden=True)) as here:
        connection = here.connection
        connection.sync()
        here.faults.on("POST", reply(lambda s, h, b: (202, [], None)))
        assert connection.create_account(EVE).outcome == "changed"
        assert connection.create_account(EVE).outcome == "unchanged"
        with pytest.raises(UnknownName, match="invited"):
            connection.grant("editor", EVE)
        assert connection.delete_account(EVE).outcome == "unchanged"
        here.faults.rules.clear()
        here.faults.on("POST", answer(409, {"detail": "taken"}))
        assert connection.create_account(EVE).state == "failed"  # asked for again, as the invitation was taken back
        here.workspace.log_in(here.id(EVE))
        connection.sync()
        assert EVE in here.picture()
        assert here.faults.writes() == {"POST": 2}


def test_w14_an_invitation_ends_once_the_account_was_listed(tmp_path: Path) -> None:
    """What left after that is gone, and is created again, also within the 30 days."""
    with scene(tmp_path, switches=Switches(pending_hidden=True)) as here:
        here.connection.sync()
        here.faults.on("POST", reply(lambda s, h, b: (201, [], None)), times=1)
        here.connection.create_account(EVE)
        here.workspace.log_in(here.id(EVE))
        here.connection.sync()
        here.workspace.remove(here.id(EVE))
        here.connection.sync()
        assert here.connection.create_account(EVE).outcome == "changed"
        assert here.faults.writes() == {"POST": 2}


def test_w14_an_invited_account_is_granted_a_role_and_deleted(tmp_path: Path) -> None:
    """What cannot be seen is said to be unverified; taken away, it leaves the picture."""
    with scene(tmp_path, switches=Switches(pending_hidden=True, patch_reply=204)) as here:
        connection = here.connection
        connection.sync()
        connection.create_account(EVE, role="viewer")
        here.faults.on("GET", SCIM_404, path="/Users/")
        granted = connection.grant("editor", EVE)
        assert (granted.state, granted.verified) == ("done", False)
        assert connection.access(user=EVE)[0].status == "pending"
        assert here.truth()[EVE] == here.picture()[EVE] == "editor"
        assert connection.delete_account(EVE, yes=True).outcome == "changed"
        assert EVE not in here.truth()
        assert EVE not in here.picture()


# -- the picture and its history -------------------------------------------------------------------------------


def test_the_picture_follows_at_once(here: Scene) -> None:
    """Access, changes with the operation's number, history; a sync after it finds nothing new."""
    connection = here.connection
    first = connection.sync().sync.event
    operation = connection.grant("editor", BOB)
    (change,) = connection.changes(since=str(first))
    assert (change.operation, change.sync, change.kind, change.what) == (operation.id, None, "changed", "grant")
    assert (change.before, change.after) == ("role:viewer:assigned", "role:editor:assigned")
    assert [row.role for row in connection.access(user=BOB)] == ["editor"]
    assert [row.role for row in connection.access(user=BOB, at=str(first))] == ["viewer"]
    assert [row.role for row in connection.access(user=BOB, at=str(operation.id))] == ["editor"]
    assert connection.sync().changes.total == 0


def test_a_creation_and_its_deletion_in_the_history(here: Scene) -> None:
    """A joiner is one account row and one grant row; so is a leaver."""
    connection = here.connection
    connection.sync()
    made = connection.create_account(EVE, role="viewer")
    gone = connection.delete_account(EVE, yes=True)
    rows = [(c.operation, c.kind, c.what) for c in connection.changes(since=str((made.id or 0) - 1))]
    assert rows == [
        (made.id, "added", "account"), (made.id, "added", "grant"),
        (gone.id, "removed", "account"), (gone.id, "removed", "grant"),
    ]  # fmt: skip
    assert [r.user for r in connection.access(at=str(made.id))] == [ADA, BOB, EVE]
    assert connection.sync().changes.total == 0


def test_how_long_a_grant_has_been_held_survives_its_confirmation(tmp_path: Path) -> None:
    """Confirmed or not is a version of the same grant."""
    with scene(tmp_path, switches=Switches(hide_role=True)) as here:
        here.connection.sync()
        here.connection.grant("editor", BOB)
        since = here.connection.access(user=BOB)[0].since
        here.clock.advance(3600)
        here.faults.app = ScimApp(here.workspace, token=TOKEN)
        assert here.connection.grant("editor", BOB).verified
        (row,) = here.connection.access(user=BOB)
        assert (row.confirmed, row.since) == (True, since)


def test_operations_before_any_sync(here: Scene) -> None:
    """They need no picture; the first sync is right, and counts nothing as changed."""
    connection = here.connection
    connection.create_account(EVE, role="editor")
    connection.revoke("editor", ADA)
    connection.delete_account(BOB, yes=True)
    report = connection.sync()
    assert (report.sync.status, report.changes.total) == ("complete", 0)
    assert here.picture() == here.truth() == {ADA: "viewer", EVE: "editor"}


def test_what_was_not_seen_changes_nothing_in_the_picture(tmp_path: Path) -> None:
    """An invited account that was seen once and is hidden now stays as it was seen."""
    with scene(tmp_path, switches=Switches(pending_hidden=True)) as here:
        here.connection.sync()
        here.connection.create_account(EVE, role="viewer")
        here.faults.on("GET", SCIM_404, path="/Users/")
        operation = here.connection.create_account(EVE, role="viewer")
        assert (operation.outcome, operation.verified) == ("unchanged", False)
        assert [(r.role, r.confirmed) for r in here.connection.access(user=EVE)] == [("viewer", True)]


def test_a_removal_that_cannot_be_read_back_stays_in_the_picture(here: Scene) -> None:
    """Nobody leaves it without proof."""
    here.connection.sync()
    id = here.id(BOB)
    here.faults.on("PATCH", answer(204))
    here.faults.on("GET", answer(403, {"detail": "no"}), path=f"/Users/{id}")
    operation = here.connection.revoke("viewer", BOB, yes=True)
    assert (operation.state, operation.verified) == ("done", False)
    assert here.picture()[BOB] == "viewer"


def test_w14_a_clock_that_is_set_ends_no_invitation(tmp_path: Path) -> None:
    """A clock that is ten years ahead for a day does not make an invited person one who has left."""
    with scene(tmp_path, switches=Switches(pending_hidden=True)) as here:
        here.connection.sync()
        here.connection.create_account(EVE, role="viewer")
        for start in (10 * 365 * DAY, 0.0):
            here.clock = FakeClock(FakeClock().now() + start)
            here.restart()
            assert here.connection.sync().sync.status == "complete"
            assert here.connection.access(user=EVE)[0].status == "pending"
            assert here.connection.create_account(EVE, role="viewer").outcome == "unchanged"
        assert here.faults.writes() == {"POST": 1}
