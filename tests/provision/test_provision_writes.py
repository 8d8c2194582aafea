"""What a server may answer to a write, and what came of it: one request, verified, told honestly (P20-P60)."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.provision import ADA, BOB, EVE, HTML_404, SCIM_404, Scene, after, answer, hang_up, nothing_listed, reply, scene
from kit.served import TOKEN

from connector_core.errors import ApplicationError, CredentialsRefused
from connector_core.testing import Switches

URN = "urn:ietf:params:scim:schemas:extension:whimsical:2.0:User"
NO = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "detail": "no"}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as it:
        yield it


# -- PATCH -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["path", "nested", "flat"])
def test_p20_p22_p24_every_shape_of_patch_is_verified(tmp_path: Path, style: str) -> None:
    """Whichever shape is set is sent once, and what came of it is seen."""
    with scene(tmp_path, settings={"patch_style": style}) as here:
        operation = here.connection.grant("editor", BOB)
        assert (operation.state, operation.outcome, operation.verified, operation.replaced) == (
            "done",
            "changed",
            True,
            "viewer",
        )
        assert here.truth()[BOB] == "editor"
        assert here.faults.writes() == {"PATCH": 1}


def test_p20_p43_a_refused_shape_is_never_followed_by_another(here: Scene) -> None:
    """The refusal is the answer, with the server's own words; the next shape is for a person to choose."""
    here.faults.on("PATCH", answer(400, {**NO, "scimType": "invalidPath", "detail": "which attribute?"}))
    operation = here.connection.grant("editor", BOB)
    assert operation.state == "failed"
    assert operation.error is not None
    assert operation.error.code == "refused"
    assert "which attribute?" in operation.error.message
    assert here.faults.writes() == {"PATCH": 1}


@pytest.mark.parametrize(
    "change",
    [
        lambda s, h, b: (200, h, b),
        lambda s, h, b: (200, h, None),
        lambda s, h, b: (202, h, None),
        lambda s, h, b: (204, h, None),
        lambda s, h, b: (200, h, {"ok": True}),
        lambda s, h, b: (200, h, {**b, "id": "somebody-else"}),
    ],
)
def test_p38_p37_any_success_of_a_patch(here: Scene, change: Any) -> None:
    """With a body, without one, or with one that says nothing: done once it is seen."""
    here.faults.on("PATCH", reply(change))
    operation = here.connection.grant("editor", BOB)
    assert (operation.state, operation.verified) == ("done", True)
    assert here.faults.writes() == {"PATCH": 1}


def test_p39_a_patch_that_says_400_because_it_is_so(here: Scene) -> None:
    """What is as wanted after it, and was read as otherwise before it, is a change, whatever was answered."""
    here.faults.on("PATCH", after(answer(400, {**NO, "detail": "No valid fields to update"})))
    operation = here.connection.grant("editor", BOB)
    assert (operation.state, operation.outcome, operation.verified) == ("done", "changed", True)
    assert "No valid fields" in operation.warnings[0]


def test_p40_a_204_that_changed_nothing_is_caught(here: Scene) -> None:
    """The word of the server is not enough; it is given five seconds, and the request is not repeated."""
    here.faults.on("PATCH", answer(204))
    operation = here.connection.grant("editor", BOB)
    assert operation.state == "failed"
    assert operation.error is not None
    assert operation.error.code == "not_carried_out"
    assert sum(here.clock.sleeps) == pytest.approx(5)
    assert here.faults.writes() == {"PATCH": 1}


def test_p41_p44_one_replace_a_patch(here: Scene) -> None:
    """The flag is set to false, never removed, in one operation alone."""
    bodies: list[Any] = []

    def listen(app: Any, environ: Any, start: Any) -> Any:
        data = environ["wsgi.input"].read()
        bodies.append(json.loads(data))
        return app({**environ, "wsgi.input": io.BytesIO(data)}, start)

    here.faults.on("PATCH", listen)
    here.connection.revoke("editor", ADA)
    ((only,),) = [body["Operations"] for body in bodies]
    assert only == {"op": "replace", "path": f"{URN}:editor", "value": False}
    assert here.truth()[ADA] == "viewer"


def test_p42_put_is_never_sent(here: Scene) -> None:
    """It would drop what is not in it."""
    connection = here.connection
    connection.create_account(EVE, role="viewer")
    connection.grant("editor", EVE)
    connection.revoke("editor", EVE)
    connection.revoke("viewer", EVE, yes=True)
    connection.create_account(EVE)
    connection.delete_account(EVE, yes=True)
    assert set(here.faults.writes()) == {"POST", "PATCH", "DELETE"}


def test_p60_a_patch_to_somebody_who_has_just_left(here: Scene) -> None:
    """Gone is said, nobody of the same name is touched, and the picture follows."""
    here.connection.sync()
    id = here.id(BOB)

    def leaves(app: Any, environ: Any, start: Any) -> Any:
        here.workspace.remove(id)
        here.workspace.add(BOB, role=False)
        return app(environ, start)

    here.faults.on("PATCH", leaves, times=1)
    operation = here.connection.grant("editor", BOB)
    assert operation.state == "failed"
    assert operation.error is not None
    assert operation.error.code == "not_found"
    assert here.truth()[BOB] == "viewer"
    assert BOB not in here.picture()


def test_p51_a_change_that_shows_late(here: Scene) -> None:
    """A read that lags behind is repeated within five seconds."""
    old = here.workspace.find(BOB)

    def stale(status: int, headers: Any, body: Any) -> Any:
        if here.clock.monotonic() < 3:
            body[URN]["editor"] = False
        return status, headers, body

    here.faults.on("PATCH", reply(lambda s, h, b: (204, h, None)))
    assert old is not None
    here.faults.on("GET", reply(stale), path=old.id)
    operation = here.connection.grant("editor", BOB)
    assert (operation.state, operation.verified) == ("done", True)
    assert 3 <= here.clock.monotonic() <= 5


# -- POST ------------------------------------------------------------------------------------------------------


def test_a_creation_is_seen_before_it_is_done(here: Scene) -> None:
    """Lower case, with its role; repeated, it is unchanged and sends nothing."""
    operation = here.connection.create_account("Eve@Example.com", given_name="Eve", role="editor")
    assert (operation.state, operation.outcome, operation.verified) == ("done", "changed", True)
    assert (operation.user, operation.user_id, operation.role) == (EVE, here.id(EVE), "editor")
    again = here.connection.create_account(" EVE@example.com ", role="editor")
    assert (again.outcome, again.verified, again.user_id) == ("unchanged", True, here.id(EVE))
    assert here.faults.writes() == {"POST": 1}


@pytest.mark.parametrize("status", [409, 400])
def test_p45_p46_a_conflict_adopts_nothing_silently(here: Scene, status: int) -> None:
    """Somebody else was first: theirs stays as it is, and the answer says so."""

    def first(app: Any, environ: Any, start: Any) -> Any:
        here.workspace.add(EVE, role=True)
        return answer(status, {"detail": "taken"})(app, environ, start)

    here.faults.on("POST", first)
    operation = here.connection.create_account(EVE, role="viewer")
    assert (operation.state, operation.outcome) == ("done", "unchanged")
    assert any("existed already" in w or "answered with an error" in w for w in operation.warnings)
    assert any("they hold editor, not viewer" in w for w in operation.warnings)
    assert here.truth()[EVE] == "editor"
    assert here.faults.writes() == {"POST": 1}


def test_p46_a_reply_with_another_account_is_no_creation(here: Scene) -> None:
    """Its e-mail is the address, its login is not, and no picture knows it: nothing is said done on its id."""
    robert = here.workspace.add("robert@example.com", email=EVE, role=True)

    def merged(status: int, headers: Any, body: Any) -> Any:
        here.workspace.remove(here.id(EVE))
        return 201, headers, {**body, "id": robert.id, "userName": robert.login}

    here.faults.on("POST", reply(merged))
    operation = here.connection.create_account(EVE, role="viewer")
    assert (operation.state, operation.outcome, operation.user_id) == ("unknown", None, None)
    assert operation.error is not None
    assert operation.error.message.startswith(f"the creation of {EVE} was answered with another account")


@pytest.mark.parametrize("kind", ["grant", "revoke", "delete"])
def test_p54_what_was_carried_out_and_answered_with_an_error_is_changed(here: Scene, kind: str) -> None:
    """The account was read as otherwise just before: an undo is to find that in the journal."""
    here.faults.on("PATCH", after(answer(400, {"detail": "no"})))
    here.faults.on("DELETE", after(SCIM_404))
    ask = {
        "grant": lambda: here.connection.grant("editor", BOB),
        "revoke": lambda: here.connection.revoke("editor", ADA),
        "delete": lambda: here.connection.delete_account(BOB, yes=True),
    }
    operation = ask[kind]()
    assert (operation.state, operation.outcome, operation.verified) == ("done", "changed", True)
    assert any("answered with an error" in warning for warning in operation.warnings)


def test_p48_p14_a_conflict_over_somebody_who_is_not_listed(here: Scene) -> None:
    """It is an error of its own, with what to do; nothing is dropped, and nothing sent again."""
    here.faults.on("POST", answer(409, {**NO, "detail": "e-mail taken"}))
    operation = here.connection.create_account(EVE)
    assert operation.state == "failed"
    assert operation.error is not None
    assert operation.error.code == "conflict"
    assert "not listed" in (operation.error.hint or "")
    assert here.faults.writes() == {"POST": 1}


def test_p46_a_server_error_over_somebody_who_was_made(here: Scene) -> None:
    """After any failed creation there is a look, and what is there counts."""
    here.faults.on("POST", after(answer(500, NO)))
    operation = here.connection.create_account(EVE, role="viewer")
    assert (operation.state, operation.outcome, operation.verified) == ("done", "changed", True)
    assert here.faults.writes() == {"POST": 1}


def test_p46_p14_somebody_whom_the_picture_knows_is_not_created_again(here: Scene) -> None:
    """A filter that hides them is no proof that they are not there."""
    here.connection.sync()
    here.faults.on("GET", nothing_listed, path="filter=")
    operation = here.connection.create_account(ADA, role="viewer")
    assert (operation.outcome, operation.user_id) == ("unchanged", here.id(ADA))
    assert here.faults.writes() == {}
    assert here.connection.grant("editor", BOB).state == "done"


def test_p46_an_existing_user_in_the_reply_to_a_creation(here: Scene) -> None:
    """A 200 with somebody whom the picture knows under another name is no creation, and alters nothing."""
    here.connection.sync()
    ada = here.workspace.find(ADA)
    assert ada is not None
    body = {"id": ada.id, "userName": EVE, "active": True, URN: {"editor": True}}
    here.faults.on("POST", answer(200, body))
    operation = here.connection.create_account(EVE, role="viewer")
    assert (operation.state, operation.outcome) == ("done", "unchanged")
    assert here.truth() == {ADA: "editor", BOB: "viewer"}


def test_p46_a_creation_answered_with_somebody_else(here: Scene) -> None:
    """A reply about another user says nothing of the one asked for: unknown, until a read finds out."""
    here.connection.sync()
    body = {"id": here.id(ADA), "userName": ADA, "active": True, URN: {"editor": True}}
    here.faults.on("POST", answer(201, body), times=1)
    operation = here.connection.create_account(EVE)
    assert (operation.state, here.picture().get(EVE)) == ("unknown", None)
    assert operation.error is not None and "another account" in operation.error.message
    here.clock.advance(61)
    here.connection.sync()
    assert here.states() == ["failed"]
    assert here.connection.create_account(EVE).state == "done"


def test_p46_an_existing_user_that_no_look_up_shows(here: Scene) -> None:
    """A role other than the one asked for is not called verified, and not altered."""
    here.faults.on("GET", nothing_listed, path="filter=", times=1)
    body = {"id": here.id(ADA), "userName": ADA, "active": True, URN: {"editor": True}}
    here.faults.on("POST", answer(200, body))
    operation = here.connection.create_account(ADA, role="viewer")
    assert (operation.state, operation.verified) == ("done", False)
    assert "they hold editor, not viewer" in operation.warnings[-1]
    assert here.truth()[ADA] == "editor"
    assert here.faults.writes() == {"POST": 1}


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("fault", [hang_up, answer(503, NO), answer(504, b"<html>", "text/html")])
def test_p49_p75_a_lost_answer_to_a_creation(here: Scene, fault: Any, carried_out: bool) -> None:
    """Never a second user: seen, it is done; not seen, nobody creates them before it is settled."""
    here.faults.on("POST", after(fault) if carried_out else fault, times=1)
    operation = here.connection.create_account(EVE)
    assert operation.state == ("done" if carried_out else "unknown")
    if not carried_out:
        with pytest.raises(Exception, match="may still take effect"):
            here.connection.create_account(EVE)
        here.clock.advance(61)
        assert here.connection.create_account(EVE).outcome == "changed"
        assert [o.state for o in reversed(here.connection.operations())] == ["failed", "done"]
    assert [u.login for u in here.workspace.users()].count(EVE) == 1
    assert here.faults.writes()["POST"] == (1 if carried_out else 2)


def test_p49_p51_a_lost_answer_whose_user_turns_up_late(here: Scene) -> None:
    """Unknown until then, and then done; never sent again."""
    here.faults.on("POST", hang_up)
    assert here.connection.create_account(EVE).state == "unknown"
    here.clock.advance(20)
    here.workspace.add(EVE, role=False)
    assert here.connection.create_account(EVE).outcome == "unchanged"
    assert [o.state for o in reversed(here.connection.operations())] == ["done", "done"]
    assert here.faults.writes() == {"POST": 1}


@pytest.mark.parametrize(
    "change",
    [
        lambda s, h, b: (201, [x for x in h if x[0] != "Location"], None),
        lambda s, h, b: (201, h, None),
        lambda s, h, b: (201, [x for x in h if x[0] != "Location"], {**b, "id": None}),
        lambda s, h, b: (202, [x for x in h if x[0] != "Location"], {}),
        lambda s, h, b: (201, h, {**b, "id": "another-than-later"}),
    ],
    ids=["nothing", "location", "no-id", "accepted", "another-id"],
)
def test_p50_a_creation_whose_reply_lacks_the_id(here: Scene, change: Any) -> None:
    """The id comes from the body, the Location, or a look-up; the one that reads show counts."""
    here.faults.on("POST", reply(change))
    operation = here.connection.create_account(EVE, role="viewer")
    assert (operation.state, operation.verified, operation.user_id) == ("done", True, here.id(EVE))
    assert here.faults.writes() == {"POST": 1}


def test_p51_a_creation_that_shows_late(here: Scene) -> None:
    """The look-up and the id lag behind: asked again within five seconds, never created again."""

    def late(fault: Any) -> Any:
        def lagging(app: Any, environ: Any, start: Any) -> Any:
            lags = 0 < here.clock.monotonic() < 3
            return fault(app, environ, start) if lags else app(environ, start)

        return lagging

    def made(app: Any, environ: Any, start: Any) -> Any:
        here.clock.advance(0.1)
        return app(environ, start)

    here.faults.on("POST", made)
    here.faults.on("GET", late(nothing_listed), path="filter=")
    here.faults.on("GET", late(SCIM_404), path="/Users/")
    operation = here.connection.create_account(EVE, role="editor")
    assert (operation.state, operation.verified, operation.warnings) == ("done", True, ())
    assert 3 <= here.clock.monotonic() <= 5.2
    assert here.faults.writes() == {"POST": 1}


@pytest.mark.parametrize("status", [402, 403])
def test_p52_a_full_plan_is_not_a_refused_token(here: Scene, status: int) -> None:
    """Refused, with the server's words; the token is fine."""
    here.faults.on("POST", answer(status, {**NO, "detail": "no seat is left"}))
    operation = here.connection.create_account(EVE, role="editor")
    assert operation.error is not None
    assert (operation.state, operation.error.code) == ("failed", "refused")
    assert "no seat is left" in operation.error.message
    assert here.connection.grant("editor", ADA).outcome == "unchanged"


def test_p53_more_fields_can_be_asked_for(here: Scene) -> None:
    """What a server wants beside the name is kept with the operation."""
    here.connection.create_account(EVE, profile={"department": "R&D"})
    ((wanted,),) = here.query("SELECT wanted FROM journal")
    assert json.loads(wanted)["profile"] == {"department": "R&D"}


def test_a_server_that_leaves_the_role_out_of_a_creation(here: Scene) -> None:
    """The account is there, and the answer says which role it has: verified is what was asked for and is seen."""
    here.faults.on(
        "POST", reply(lambda s, h, b: (here.workspace.set_role(b["id"], False) and s, h, {**b, URN: {"editor": False}}))
    )
    operation = here.connection.create_account(EVE, role="editor")
    assert (operation.state, operation.outcome, operation.verified) == ("done", "changed", False)
    assert "they hold viewer, not editor" in operation.warnings[0]


# -- DELETE ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 202, 204])
def test_p54_any_success_of_a_delete(here: Scene, status: int) -> None:
    """Gone is what a read shows."""
    here.faults.on("DELETE", after(answer(status)))
    operation = here.connection.delete_account(BOB, yes=True)
    assert (operation.state, operation.outcome, operation.verified) == ("done", "changed", True)
    assert here.faults.writes() == {"DELETE": 1}


@pytest.mark.parametrize("fault", [SCIM_404, answer(500, NO), answer(400, NO), hang_up])
def test_p54_p75_a_delete_that_fails_and_is_done(here: Scene, fault: Any) -> None:
    """What is gone is gone, whatever was answered."""
    here.faults.on("DELETE", after(fault))
    operation = here.connection.delete_account(BOB, yes=True)
    assert (operation.state, operation.verified) == ("done", True)
    assert here.faults.writes() == {"DELETE": 1}


@pytest.mark.parametrize("carried_out", [True, False])
def test_p37_a_web_page_is_no_answer_to_a_write(here: Scene, carried_out: bool) -> None:
    """A sign-in page under a 200 proves nothing: what became of the write is read, and never taken for done."""
    here.connection.sync()
    page = answer(200, b"<html>please sign in</html>", "text/html")
    for method in ("POST", "PATCH", "DELETE"):
        here.faults.on(method, after(page) if carried_out else page)
    asked = here.connection
    done = [asked.create_account(EVE), asked.grant("editor", BOB), asked.delete_account(ADA, yes=True)]
    expected = {"done"} if carried_out else {"unknown"}
    assert {operation.state for operation in done} == expected
    assert here.picture() == here.truth()


def test_p55_a_404_that_passes_is_no_proof(here: Scene) -> None:
    """A gateway that says 404 once, and has the user back at the second look, has ended nobody."""
    eve = here.workspace.add(EVE, email=EVE, role=False)
    here.connection.sync()
    here.faults.on("GET", answer(404, {"message": "no Route matched"}), path=f"/Users/{eve.id}", times=1)
    assert here.connection.revoke("viewer", eve.id, yes=True).outcome == "changed"
    assert here.truth() == {ADA: "editor", BOB: "viewer"}
    assert here.faults.writes() == {"PATCH": 1}


def test_p54_a_failure_that_cannot_be_looked_into_is_unknown(here: Scene) -> None:
    """A 500 to a removal proves nothing either way where nothing can be read: it is found out later."""
    here.connection.sync()
    here.faults.on("DELETE", after(answer(500, NO)))
    here.faults.on("GET", HTML_404, path=f"/Users/{here.id(BOB)}")
    operation = here.connection.delete_account(BOB, yes=True)
    assert (operation.state, here.picture()[BOB]) == ("unknown", "viewer")
    here.faults.rules.clear()
    here.connection.sync()
    assert here.states() == ["done"]


@pytest.mark.parametrize("fault", [answer(404, {"message": "no Route matched"}), answer(404), SCIM_404])
def test_p55_a_delete_that_is_not_routed_is_no_removal(here: Scene, fault: Any) -> None:
    """Whatever the 404 to a DELETE says: who can still be read is not gone, and stays in the picture."""
    here.connection.sync()
    here.faults.on("DELETE", fault)
    operation = here.connection.delete_account(BOB, yes=True)
    assert operation.state == "failed"
    assert here.picture()[BOB] == "viewer"


@pytest.mark.parametrize("fault", [answer(404, {"message": "no Route matched"}), answer(404), SCIM_404])
def test_p55_p72_nobody_is_gone_because_everything_is(here: Scene, fault: Any) -> None:
    """A 404 for every address, even in SCIM's words, ends nobody: the address is wrong, or SCIM switched off."""
    here.connection.sync()
    here.faults.on("GET", fault)
    for change in (
        here.connection.delete_account,
        lambda user, **terms: here.connection.revoke("viewer", user, **terms),
    ):
        with pytest.raises(ApplicationError, match="404"):
            change(here.id(BOB), yes=True)
    assert here.picture()[BOB] == "viewer"
    assert here.faults.writes() == {}


@pytest.mark.parametrize(
    ("fault", "state"),
    [(answer(500, NO), "failed"), (answer(204), "failed"), (hang_up, "unknown"), (HTML_404, "unknown")],
)
def test_p54_p55_p40_a_delete_that_did_nothing(here: Scene, fault: Any, state: str) -> None:
    """Whoever is still listed is not gone: least of all for a 404 from somewhere else."""
    here.connection.sync()
    here.faults.on("DELETE", fault)
    operation = here.connection.delete_account(BOB, yes=True)
    assert operation.state == state
    assert here.picture()[BOB] == "viewer"


def test_p55_an_html_404_on_reading_is_not_gone(here: Scene) -> None:
    """A read that fails proves nothing: neither that they left before nor after."""
    here.connection.sync()
    here.faults.on("GET", HTML_404, path="/Users/")
    with pytest.raises(Exception, match="404"):
        here.connection.delete_account(here.id(BOB), yes=True)
    assert here.faults.writes() == {}
    operation = here.connection.delete_account(BOB, yes=True)
    assert (operation.state, operation.verified) == ("done", False)
    assert "could not be read back" in operation.warnings[0]
    assert BOB in here.picture()


def test_p56_a_delete_that_only_deactivates(here: Scene) -> None:
    """A row that stays and is not active any more has left, too."""

    def soft(app: Any, environ: Any, start: Any) -> Any:
        user = here.workspace.find(BOB)
        assert user is not None
        here.workspace.replace(evolve(user, active=False))
        return answer(204)(app, environ, start)

    here.faults.on("DELETE", soft)
    operation = here.connection.delete_account(BOB, yes=True)
    assert (operation.state, operation.verified) == ("done", True)
    assert here.connection.delete_account(BOB).outcome == "unchanged"


def test_p56_a_disabled_twin_comes_back(here: Scene) -> None:
    """Also one that the filter hides and the picture knows: enabled, and not created again."""
    here.workspace.add(EVE, role=True, active=False)
    here.connection.sync()
    here.faults.on("GET", nothing_listed, path="filter=")
    operation = here.connection.create_account(EVE)
    assert (operation.state, operation.outcome, operation.reactivated) == ("done", "changed", True)
    assert here.truth()[EVE] == "editor"
    assert here.faults.writes() == {"PATCH": 1}


def test_p56_a_disabled_twin_that_only_the_conflict_shows(here: Scene) -> None:
    """The error says what will help."""

    def twin(app: Any, environ: Any, start: Any) -> Any:
        here.workspace.add(EVE, role=True, active=False)
        return answer(409, NO)(app, environ, start)

    here.faults.on("POST", twin)
    operation = here.connection.create_account(EVE)
    assert operation.error is not None
    assert (operation.state, operation.error.hint) == (
        "failed",
        "they are disabled: the same command again enables them",
    )
    assert here.connection.create_account(EVE).reactivated


@pytest.mark.parametrize("status", [403, 409])
def test_p57_a_delete_that_is_blocked(here: Scene, status: int) -> None:
    """The owner stays; it is no matter of the token, and not tried again."""
    here.faults.on("DELETE", answer(status, {**NO, "detail": "the owner stays"}))
    operation = here.connection.delete_account(ADA, yes=True)
    assert operation.error is not None
    assert operation.state == "failed"
    assert "the owner stays" in operation.error.message
    assert here.faults.writes() == {"DELETE": 1}


def test_p58_a_delete_has_no_body(here: Scene) -> None:
    """Neither body nor content type; some servers refuse them."""
    seen: list[Any] = []

    def listen(app: Any, environ: Any, start: Any) -> Any:
        seen.append((environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"], environ["HTTP_ACCEPT"]))
        return app(environ, start)

    here.faults.on("DELETE", listen)
    here.connection.delete_account(BOB, yes=True)
    assert seen == [("0", "", "application/scim+json, application/json;q=0.9")]


@pytest.mark.parametrize("removes", [True, False])
def test_p59_deactivating_is_leaving(tmp_path: Path, removes: bool) -> None:
    """Whether the server keeps the row or not: no access is left, and that is seen."""
    with scene(tmp_path, switches=Switches(deactivation_removes=removes, patch_reply=204)) as here:
        here.connection.sync()
        operation = here.connection.revoke("viewer", BOB, yes=True)
        assert (operation.state, operation.outcome, operation.verified) == ("done", "changed", True)
        assert here.truth() == here.picture() == {ADA: "editor"}


# -- whatever the verb -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("carried_out", [True, False])
def test_p75_a_lost_answer_to_a_patch(here: Scene, carried_out: bool) -> None:
    """Seen, it is done; not seen, it is unknown, and the next command finds that it failed and sends it once more."""
    here.faults.on("PATCH", after(hang_up) if carried_out else hang_up, times=1)
    operation = here.connection.grant("editor", BOB)
    assert operation.state == ("done" if carried_out else "unknown")
    again = here.connection.grant("editor", BOB)
    assert again.outcome == ("unchanged" if carried_out else "changed")
    assert here.states() == (["done", "done"] if carried_out else ["failed", "done"])
    assert here.truth()[BOB] == "editor"


def test_p74_no_secret_reaches_the_journal(here: Scene) -> None:
    """Not even where the server echoes the token in its error."""
    here.faults.on("PATCH", answer(400, {**NO, "detail": f"bad header: Bearer {TOKEN}"}))
    operation = here.connection.grant("editor", BOB, reason="T-1")
    assert TOKEN not in repr(operation)
    assert "bad header" in repr(operation)
    for path in here.folder.iterdir():
        assert path.is_dir() or TOKEN.encode() not in path.read_bytes(), path.name


def test_p72_credentials_refused_in_the_middle(here: Scene) -> None:
    """The write is failed, the error says whose fault it is, and carries the operation."""
    here.faults.on("PATCH", answer(401, NO))
    with pytest.raises(CredentialsRefused) as caught:
        here.connection.grant("editor", BOB)
    assert caught.value.report.state == "failed"
    assert here.states() == ["failed"]


def test_credentials_refused_after_the_write(here: Scene) -> None:
    """Accepted, and not to be read back: done as far as anybody can tell, and said so."""
    here.connection.sync()
    here.faults.on("PATCH", reply(lambda s, h, b: (204, h, None)))
    here.faults.on("GET", answer(401, NO), path="/Users/")
    operation = here.connection.grant("editor", BOB)
    assert (operation.state, operation.verified) == ("done", False)
    row = next(r for r in here.connection.access() if r.user == BOB)
    assert (row.role, row.confirmed) == ("editor", False)


def test_who_asked_and_why_is_kept(here: Scene) -> None:
    """By default the user of this machine; a reason where one was given."""
    here.connection.grant("editor", BOB, who="helpdesk", reason="T-7")
    here.connection.revoke("editor", BOB)
    second, first = here.connection.operations()
    assert (first.requested_by, first.reason) == ("helpdesk", "T-7")
    assert "@" in (second.requested_by or "")
    assert second.reason is None
