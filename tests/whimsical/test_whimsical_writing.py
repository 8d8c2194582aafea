"""What the Whimsical connector writes: one request each, its body, and what its reply proves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kit.replies import FixedReply

from connector_core.errors import Conflict, GuardRefused, NotFound, OperationRefused, ProtocolError, UnknownName
from connector_core.http import HttpClient
from connector_core.http.loopback import LoopbackServer
from connector_core.model import EntitlementKey, Grant, Key, NewAccount, Outcome, Resource, Secret
from connector_core.testing.clock import FakeClock
from connector_core_whimsical import plugin, roles
from connector_core_whimsical.client import WhimsicalClient
from connector_core_whimsical.settings import Settings

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
URN = "urn:ietf:params:scim:schemas:extension:whimsical:2.0:User"
ADA = Key("user", "1")
USER = Resource(type="user", id="1", login="ada@example.com")

Connect = Callable[..., WhimsicalClient]


@pytest.fixture
def server() -> FixedReply:
    return FixedReply(204)


@pytest.fixture
def connect(server: FixedReply) -> Iterator[Connect]:
    http = HttpClient(clock=FakeClock())
    with LoopbackServer(server, on_request=server.observe) as running:
        yield lambda **more: plugin.connector_connect(Settings(token=Secret("t"), base_url=running.url, **more), http)
    http.close()


def user(editor: bool | None = None, **changes: Any) -> dict[str, Any]:
    extension = {} if editor is None else {URN: {"editor": editor}}
    return {"id": "1", "userName": "ada@example.com", "active": True, **extension, **changes}


def operation(server: FixedReply) -> dict[str, Any]:
    ((method, target, body),) = server.seen
    assert (method, target) == ("PATCH", "/Users/1")
    assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
    (only,) = body["Operations"]
    assert isinstance(only, dict)
    return only


# -- create ----------------------------------------------------------------------------------------------------


def test_w8_w15_w16_a_create_without_a_role(server: FixedReply, connect: Connect) -> None:
    """Lower case, the e-mail the same as the login, and no word of a role: the workspace's default applies."""
    server.say(201, user())
    plugin.provision_create_account(connect(), NewAccount(login=" Ada@Example.com"))
    assert server.seen == [
        (
            "POST",
            "/Users",
            {
                "schemas": [CORE],
                "userName": "ada@example.com",
                "emails": [{"value": "ada@example.com", "type": "work", "primary": True}],
                "active": True,
            },
        )
    ]


@pytest.mark.parametrize(("role", "editor"), [(roles.EDITOR, True), (roles.VIEWER, False)])
def test_w8_a_create_with_a_role(server: FixedReply, connect: Connect, role: EntitlementKey, editor: bool) -> None:
    """The role is the extension's boolean, and only then is the extension named."""
    server.say(201, user(editor))
    account = NewAccount(login="ada@example.com", given_name="Ada", family_name="Lovelace", role=role)
    outcome = plugin.provision_create_account(connect(), account)
    body = server.seen[0][2]
    assert body["schemas"] == [CORE, URN]
    assert body[URN] == {"editor": editor}
    assert body["name"] == {"givenName": "Ada", "familyName": "Lovelace"}
    assert outcome.verified
    assert outcome.after is not None
    assert outcome.after.grants == (Grant(role, ADA),)


@pytest.mark.parametrize("reply", [user(), user(False), user(True, active=False), user(True, active=None)])
def test_a_create_is_verified_only_by_what_the_reply_shows(server: FixedReply, connect: Connect, reply: Any) -> None:
    """An unreadable role, another one, or an account that is not enabled is no proof."""
    server.say(201, reply)
    outcome = plugin.provision_create_account(connect(), NewAccount(login="ada@example.com", role=roles.EDITOR))
    assert outcome.after is not None
    assert not outcome.verified


def test_p50_a_create_answered_with_an_id_alone(server: FixedReply, connect: Connect) -> None:
    """The id is worth keeping: a pending user may be in no listing (W14)."""
    server.say(201, {"id": "1"})
    outcome = plugin.provision_create_account(connect(), NewAccount(login="ada@example.com"))
    assert outcome.after is not None
    assert [(found.key, found.login) for found in outcome.after.resources] == [(ADA, "ada@example.com")]
    assert not outcome.verified


def test_w14_a_create_answered_with_nothing_is_pending(server: FixedReply, connect: Connect) -> None:
    """Accepted, and nothing to show yet: an invitation."""
    server.say(201)
    outcome = plugin.provision_create_account(connect(), NewAccount(login="ada@example.com"))
    assert outcome == Outcome(pending=True)


def test_a_create_whose_reply_cannot_be_read_is_pending(server: FixedReply, connect: Connect) -> None:
    """Created, and the host has to look for itself."""
    server.say(201, user(active="perhaps"))
    outcome = plugin.provision_create_account(connect(), NewAccount(login="ada@example.com"))
    assert outcome == Outcome(pending=True)


@pytest.mark.parametrize(("status", "raised"), [(409, Conflict), (402, OperationRefused), (403, OperationRefused)])
def test_p45_p52_a_refused_create(server: FixedReply, connect: Connect, status: int, raised: type[Exception]) -> None:
    """Somebody is there already, or the plan is full."""
    server.say(status, {"detail": "no"})
    with pytest.raises(raised):
        plugin.provision_create_account(connect(), NewAccount(login="ada@example.com"))


# -- roles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "sent"),
    [
        ("path", {"op": "replace", "path": f"{URN}:editor", "value": True}),
        ("nested", {"op": "replace", "value": {URN: {"editor": True}}}),
        ("flat", {"op": "replace", "value": {f"{URN}:editor": True}}),
    ],
)
def test_p20_grant_editor_in_the_shape_that_is_set(
    server: FixedReply, connect: Connect, style: str, sent: dict[str, Any]
) -> None:
    """One operation in one PATCH, a real boolean."""
    plugin.provision_grant(connect(patch_style=style), Grant(roles.EDITOR, ADA))
    assert operation(server) == sent


def test_p20_the_rfcs_own_shape_is_the_default(server: FixedReply, connect: Connect) -> None:
    """A path, as RFC 7644 section 3.5.2 writes it."""
    plugin.provision_grant(connect(), Grant(roles.VIEWER, ADA))
    assert operation(server) == {"op": "replace", "path": f"{URN}:editor", "value": False}


def test_revoking_editor_makes_a_viewer(server: FixedReply, connect: Connect) -> None:
    """The member stays, without a paid seat."""
    server.say(200, user(False))
    outcome = plugin.provision_revoke(connect(), Grant(roles.EDITOR, ADA))
    assert operation(server) == {"op": "replace", "path": f"{URN}:editor", "value": False}
    assert outcome.verified
    assert outcome.after is not None
    assert outcome.after.grants == (Grant(roles.VIEWER, ADA),)


def test_w17_revoking_viewer_deactivates(server: FixedReply, connect: Connect) -> None:
    """A member without any role is no member."""
    server.say(200, user(False, active=False))
    outcome = plugin.provision_revoke(connect(), Grant(roles.VIEWER, ADA))
    assert operation(server) == {"op": "replace", "path": "active", "value": False}
    assert outcome.verified
    assert outcome.after is not None
    assert (outcome.after.resources[0].status, outcome.after.grants) == ("disabled", ())


def test_revoking_viewer_can_be_switched_off(server: FixedReply, connect: Connect) -> None:
    """Then no request is made, and the manifest says so beforehand."""
    with pytest.raises(GuardRefused):
        plugin.provision_revoke(connect(viewer_revoke="refuse"), Grant(roles.VIEWER, ADA))
    assert server.seen == []


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (204, None),
        (200, None),
        (200, user(False)),
        (200, user()),
        (200, user(True, id="2")),
        (200, {"active": True}),
        (200, user(True, active=False)),
    ],
)
def test_p38_p40_a_success_that_proves_nothing(server: FixedReply, connect: Connect, status: int, body: Any) -> None:
    """No body, another role, another user or half a user: the host has to read."""
    server.say(status, body)
    assert not plugin.provision_grant(connect(), Grant(roles.EDITOR, ADA)).verified


def test_a_role_that_whimsical_has_not_is_refused(server: FixedReply, connect: Connect) -> None:
    """Administrators cannot be made over SCIM (W11)."""
    with pytest.raises(UnknownName):
        plugin.provision_grant(connect(), Grant(EntitlementKey("role", "admin", "assigned"), ADA))
    assert server.seen == []


# -- accounts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("active", "verified"), [(True, True), ("True", True), (False, False), (None, False)])
def test_enabling_an_account(server: FixedReply, connect: Connect, active: Any, verified: bool) -> None:
    """``active: true``, proven by a reply that shows it."""
    server.say(200, user(False, active=active))
    outcome = plugin.provision_enable_account(connect(), USER)
    assert operation(server) == {"op": "replace", "path": "active", "value": True}
    assert outcome.verified is verified


@pytest.mark.parametrize("status", [200, 202, 204])
def test_p54_a_delete_is_for_the_host_to_verify(server: FixedReply, connect: Connect, status: int) -> None:
    """Success says that it was accepted."""
    server.say(status)
    assert plugin.provision_delete_account(connect(), USER) == Outcome()
    assert server.seen == [("DELETE", "/Users/1", None)]


def test_p54_p55_a_delete_of_one_that_is_gone(server: FixedReply, connect: Connect) -> None:
    """A 404 proves nothing by itself, in whatever words: the host reads, and judges."""
    for body in (
        {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "404"},
        {"message": "no Route matched"},
        None,
    ):
        server.say(404, body)
        with pytest.raises(NotFound):
            plugin.provision_delete_account(connect(), USER)
    server.say(404, b"<html>")
    with pytest.raises(ProtocolError):
        plugin.provision_delete_account(connect(), USER)


def test_p57_a_delete_that_is_refused(server: FixedReply, connect: Connect) -> None:
    """An owner cannot be deleted, and the token is not to blame."""
    server.say(403, {"detail": "the owner stays"})
    with pytest.raises(OperationRefused, match="the owner stays"):
        plugin.provision_delete_account(connect(), USER)


def test_p60_a_patch_of_one_that_is_gone(server: FixedReply, connect: Connect) -> None:
    """The host decides what a stale id means."""
    server.say(404, {"status": "404"})
    with pytest.raises(NotFound):
        plugin.provision_grant(connect(), Grant(roles.EDITOR, ADA))
