"""The Whimsical connector's manifest, settings and check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from kit.replies import FixedReply

from connector_core.errors import ConfigurationError
from connector_core.http import HttpClient
from connector_core.http.loopback import LoopbackServer
from connector_core.model import Finding, Key, Secret
from connector_core.settings import declared
from connector_core.testing.clock import FakeClock
from connector_core_whimsical import plugin, roles
from connector_core_whimsical.client import WhimsicalClient, connect
from connector_core_whimsical.settings import Settings

URN = "urn:ietf:params:scim:schemas:extension:whimsical:2.0:User"


def test_the_manifest_needs_no_settings() -> None:
    """Listings work before anything is configured."""
    manifest = plugin.connector_manifest(None)
    assert (manifest.name, manifest.max_workers, manifest.contract) == ("whimsical", 8, 2)
    assert [(kind.type, kind.traits) for kind in manifest.resource_types] == [("user", ("user",)), ("role", ("role",))]
    assert [e.resource for e in manifest.entitlements] == [Key("role", "editor"), Key("role", "viewer")]


def test_w12_w25_roles_say_themselves_what_they_cost_and_what_revoking_does() -> None:
    """Two exclusive roles: Editor is paid and falls back to Viewer; revoking Viewer removes the account."""
    editor, viewer = plugin.connector_manifest(Settings(token=Secret("t"))).entitlements
    assert editor.exclusive == viewer.exclusive == "workspace-role"
    assert (editor.paid, editor.on_revoke, editor.falls_back_to) == (True, "falls_back", roles.VIEWER)
    assert (viewer.paid, viewer.on_revoke, viewer.falls_back_to) == (False, "removes_account", None)
    assert "refund" in str(editor.note)
    assert "72 hours" in str(viewer.note)


def test_revoking_viewer_is_refused_where_the_setting_says_so() -> None:
    """The host learns of it before any request."""
    _, viewer = plugin.connector_manifest(Settings(token=Secret("t"), viewer_revoke="refuse")).entitlements
    assert viewer.on_revoke == "refused"


def test_the_settings_are_those_of_the_contract() -> None:
    """Names, defaults and the facts that the host acts on."""
    found = {item.name: item for item in declared(Settings)}
    assert {name: item.default for name, item in found.items()} == {
        "token": attrs.NOTHING,
        "base_url": "https://api.whimsical.com/scim-v2",
        "page_size": 100,
        "requests_per_second": 0.0,
        "patch_style": "path",
        "viewer_revoke": "deactivate",
        "protected": (),
    }
    assert [name for name, item in found.items() if item.secret] == ["token"]
    assert [name for name, item in found.items() if item.address] == ["base_url"]
    assert [name for name, item in found.items() if item.reading] == ["base_url", "page_size"]


@pytest.mark.parametrize("size", [0, 1001])
def test_p10_page_size_has_bounds(size: int) -> None:
    """Asking for no rows at all is refused by some and unlimited for others."""
    with pytest.raises(ValueError, match="page_size"):
        Settings(token=Secret("t"), page_size=size)


@pytest.mark.parametrize("rate", [-1.0, float("inf"), float("nan")])
def test_requests_per_second_has_bounds(rate: float) -> None:
    """None, or some."""
    with pytest.raises(ValueError, match="requests_per_second"):
        Settings(token=Secret("t"), requests_per_second=rate)


@pytest.mark.parametrize(("settings", "waits"), [({}, 0), ({"requests_per_second": 2.0}, 2)])
def test_requests_per_second_is_kept_to(settings: dict[str, Any], waits: int) -> None:
    """Where it is set."""
    clock = FakeClock()
    http = HttpClient(clock=clock)
    with LoopbackServer(answering) as server:
        workspace = connect(Settings(token=Secret("t"), base_url=server.url, **settings), http)
        for _ in range(3):
            workspace.users.client.query("Users", {})
    http.close()
    assert len(clock.sleeps) == waits


def answering(environ: dict[str, Any], start: Any) -> list[bytes]:
    start("200 OK", [("Content-Type", "application/scim+json")])
    return [b'{"totalResults": 0, "Resources": []}']


@pytest.mark.parametrize("wrong", [{"token": Secret("a\nb")}, {"token": Secret("t"), "base_url": "http://example.com"}])
def test_p74_p78_what_cannot_be_right_is_refused_on_connecting(wrong: dict[str, Any]) -> None:
    """Before any request."""
    with pytest.raises(ConfigurationError):
        plugin.connector_connect(Settings(**wrong), HttpClient())


# -- check -----------------------------------------------------------------------------------------------------


@pytest.fixture
def answers() -> FixedReply:
    return FixedReply()


@pytest.fixture
def client(answers: FixedReply) -> Iterator[WhimsicalClient]:
    http = HttpClient(clock=FakeClock())
    with LoopbackServer(answers, on_request=answers.observe) as server:
        yield plugin.connector_connect(Settings(token=Secret("t"), base_url=f"{server.url}/scim-v2"), http)
    http.close()


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.code: finding.level for finding in findings}


def listed(*rows: dict[str, Any], total: int = 0) -> dict[str, Any]:
    return {"totalResults": total or len(rows), "Resources": list(rows)}


USER = {"id": "1", "userName": "ada@example.com", "active": True}


def test_p10_a_check_asks_as_a_sync_does(answers: FixedReply, client: WhimsicalClient) -> None:
    """One request, of the page size that is set: a size that is refused is found here."""
    answers.say(200, listed({**USER, URN: {"editor": True}}, total=60))
    findings = plugin.connector_check(client)
    assert answers.seen == [("GET", "/scim-v2/Users?startIndex=1&count=100", None)]
    assert levels(findings) == {"reachable": "ok", "credentials": "ok", "users": "ok", "roles": "ok"}
    assert "60" in findings[2].message


def test_p19_an_unreadable_role_is_a_finding(answers: FixedReply, client: WhimsicalClient) -> None:
    """Nobody outside Whimsical knows whether the role is shown: the administrator learns it here."""
    answers.say(200, listed(USER))
    assert levels(plugin.connector_check(client))["roles_unreadable"] == "warning"


def test_an_unreadable_user_is_a_finding(answers: FixedReply, client: WhimsicalClient) -> None:
    """So is a row that makes no sense."""
    answers.say(200, listed({"id": "1"}))
    assert levels(plugin.connector_check(client))["unreadable_user"] == "warning"


def test_an_empty_workspace_is_a_finding_and_no_failure(answers: FixedReply, client: WhimsicalClient) -> None:
    """It may be new."""
    answers.say(200, {"totalResults": 0})
    assert levels(plugin.connector_check(client)) == {"reachable": "ok", "credentials": "ok", "empty": "warning"}


@pytest.mark.parametrize(
    ("status", "body", "code", "word"),
    [
        (401, {"detail": "bad token"}, "credentials_refused", "SAML"),
        (403, {}, "credentials_refused", "SCIM"),
        (404, b"<html>", "protocol", "base_url"),
        (404, {"status": "404"}, "not_found", "base_url"),
        (200, b"<html>login</html>", "protocol", "address"),
        (200, {"totalResults": 5, "Resources": []}, "protocol", "view"),
        (302, b"", "protocol", "address"),
    ],
)
def test_p06_p47_p72_what_is_wrong_and_what_to_do(
    answers: FixedReply, client: WhimsicalClient, status: int, body: Any, code: str, word: str
) -> None:
    """One error finding, its code the error's, with a hint that names the likely cause."""
    answers.say(status, body)
    (finding,) = plugin.connector_check(client)
    assert (finding.level, finding.code) == ("error", code)
    assert word in str(finding.hint)


def test_a_workspace_that_cannot_be_reached_is_a_finding() -> None:
    """A refused connection ends the check with a hint."""
    with LoopbackServer(FixedReply()) as server:
        url = server.url
    http = HttpClient(clock=FakeClock())
    client = plugin.connector_connect(Settings(token=Secret("t"), base_url=url), http)
    (finding,) = plugin.connector_check(client)
    assert (finding.level, finding.code) == ("error", "unreachable")
    http.close()
