"""The connector in front of recorded servers, without a network: what it asks, and what it makes of the answers."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from recorded.scenes import READING, THROWAWAY, WRITING, WRONG_TOKEN, RecordingSetup
from recorded.tape import FOLDER, HOME, replay, same_document
from servers import scim2, scimmy
from vcr.request import Request

from connector_core.errors import CredentialsRefused
from connector_core.model import Grant, Page, Secret
from connector_core_whimsical import roles

EXTENSION = "urn:ietf:params:scim:schemas:extension:whimsical:2.0:User"
TOKENS = (scim2.TOKEN, scimmy.TOKEN, WRONG_TOKEN)
CASSETTES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def recorded_as(scene: str) -> list[str]:
    """The cassettes of a scene, one a server."""
    return [name for name in CASSETTES if name.partition("-")[2] == scene]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a replay went to the network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def stage(tmp_path: Path) -> RecordingSetup:
    return RecordingSetup(base_url=HOME, token=Secret("replayed"), folder=tmp_path, throwaway=THROWAWAY)


@pytest.fixture
def played(request: pytest.FixtureRequest, stage: RecordingSetup) -> Iterator[Any]:
    """What the scene comes to on this cassette, of which nothing may be left."""
    name = request.param
    with replay(name) as cassette:
        yield {**READING, **WRITING}[name.partition("-")[2]](stage)
    assert cassette.all_played, "the server was asked less than when this was recorded"


def documents(name: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Each request, and the JSON that it was answered with or None; read without any code of ours."""
    for exchange in yaml.safe_load((FOLDER / f"{name}.yaml").read_text())["interactions"]:
        string = exchange["response"]["body"]["string"]
        yield exchange["request"], json.loads(string) if string else None


def test_each_scene_is_recorded_against_both_servers() -> None:
    """A scene that was added and not recorded would be tested against nothing."""
    assert {f"{server}-{scene}" for server in ("scim2", "scimmy") for scene in (*READING, *WRITING)} <= set(CASSETTES)


@pytest.mark.parametrize("name", recorded_as("sync"))
def test_the_picture_is_what_the_replies_say(name: str, stage: RecordingSetup) -> None:
    """Two syncs: both complete, everybody with the role that the recorded JSON gives them, no change between them."""
    rows = {row["id"]: row for _, reply in documents(name) for row in reply["Resources"]}
    editors = {True: "editor", False: "viewer", None: None}
    expected = {id: (row["userName"], editors[row.get(EXTENSION, {}).get("editor")]) for id, row in rows.items()}
    with replay(name) as cassette:
        connection = READING["sync"](stage)
        assert cassette.all_played
    assert {row.user_id: (row.user, row.role) for row in connection.access()} == expected
    assert [sync.status for sync in connection.syncs()] == ["complete", "complete"]
    assert connection.changes() == ()


@pytest.mark.parametrize("played", recorded_as("check"), indirect=True)
def test_check_finds_nothing_wrong(played: Any) -> None:
    """The server answers, takes the token, lists users, and shows roles."""
    assert [(finding.level, finding.code) for finding in played] == [
        ("ok", "reachable"),
        ("ok", "credentials"),
        ("ok", "users"),
        ("ok", "roles"),
    ]


@pytest.mark.parametrize("played", recorded_as("look-up"), indirect=True)
def test_a_user_is_found_by_login_in_any_case_and_by_id(played: Any) -> None:
    """All ways lead to the same user with the same role; who is not there is an empty page, or None."""
    assert played.listed.login
    assert played.by_login.resources == (played.listed,)
    assert played.by_login.grants
    assert played.by_login == played.by_login_in_capitals == played.by_id
    assert played.nobody == Page()
    assert played.no_id is None


@pytest.mark.parametrize("played", recorded_as("wrong-token"), indirect=True)
def test_a_wrong_token_is_refused_credentials(played: Any) -> None:
    """Whatever words the server has for it, with a hint of where to get the right one."""
    assert isinstance(played, CredentialsRefused)
    assert "token" in (played.hint or "")


@pytest.mark.parametrize("played", recorded_as("write"), indirect=True)
def test_what_is_written_can_be_read_back(played: Any) -> None:
    """Created as a viewer, promoted, demoted, deleted: after each, a read shows just that."""
    (user,) = played.after_create.resources
    viewer, editor = (Grant(role, user.key) for role in (roles.VIEWER, roles.EDITOR))
    assert (user.login, user.status) == (THROWAWAY, "enabled")
    assert played.created.verified
    assert played.after_create.grants == (viewer,)
    assert played.after_promotion.grants == (editor,)
    assert played.after_demotion.grants == (viewer,)
    assert played.after_delete is None
    assert played.gone_already


@pytest.mark.parametrize("played", recorded_as("operations"), indirect=True)
def test_each_operation_and_its_twin(played: Any) -> None:
    """Changed and seen to be so, then unchanged; a disabled user is enabled first, and one that is disabled is gone."""
    steps = ("create_account", "grant", "revoke", "revoke", "enable_account", "create_account", "delete_account")
    pairs = [(kind, twin) for kind in steps for twin in ("changed", "unchanged")]
    pairs.remove(("enable_account", "unchanged"))
    assert [(operation.kind, operation.outcome) for operation in played] == pairs
    assert {operation.state for operation in played} == {"done"}
    assert all(operation.verified for operation in played)
    assert [operation.replaced for operation in played if operation.replaced] == ["viewer"]
    assert [operation.kind for operation in played if operation.reactivated] == ["create_account"]


# -- that a replay proves something ----------------------------------------------------------------------------


def test_a_replay_has_no_network() -> None:
    """A request that slipped by the recorder would not be answered."""
    with pytest.raises(AssertionError, match="network"):
        socket.create_connection(("127.0.0.1", 9))


def test_a_request_that_was_not_recorded_is_an_error(stage: RecordingSetup) -> None:
    """A cassette answers what it was asked, and nothing else."""
    with (
        replay(CASSETTES[0]),
        stage.client() as client,
        pytest.raises(Exception, match="no recorded interaction matches"),
    ):
        client.users.client.get("Users", "somebody else")


def test_another_body_is_another_request() -> None:
    """Bodies are told apart by what they say, not by the order of their keys, with SCIM's media type, too."""
    headers = {"Content-Type": "application/scim+json"}
    bodies = (b'{"a": 1, "b": [2]}', b'{"b":[2],"a":1}', b'{"a": 1, "b": [3]}')
    one, same, other = (Request("PATCH", HOME, body, headers) for body in bodies)
    same_document(one, same)
    with pytest.raises(AssertionError):
        same_document(one, other)


@pytest.mark.parametrize("name", recorded_as("write"))
def test_another_write_is_not_answered(name: str, stage: RecordingSetup) -> None:
    """The recorded PATCH made an editor: one that says something else finds no answer."""
    wanted = next(request for request, _ in documents(name) if request["method"] == "PATCH")
    id = wanted["uri"].rpartition("/")[2]
    body = json.loads(wanted["body"])
    with replay(name) as cassette, stage.client() as client:
        with pytest.raises(Exception, match="no recorded interaction matches"):
            client.users.client.patch("Users", id, {**body, "Operations": []})
        client.users.client.patch("Users", id, body)
        assert cassette.play_count == 1


# -- that nothing is in a cassette which should not be ---------------------------------------------------------


@pytest.mark.parametrize("name", CASSETTES)
def test_no_credentials_and_no_real_people_in_a_cassette(name: str) -> None:
    """No header that carries credentials, no token, no cookie, no address outside example.com and example.org."""
    text = (FOLDER / f"{name}.yaml").read_text("utf-8")
    assert not re.search(r"\bauthorization:|bearer (?!realm)|cookie", text, re.IGNORECASE)
    assert [token for token in TOKENS if token in text] == []
    addresses = re.findall(r"[\w.+'-]+(?:@|%40)([\w.-]+)", text)
    assert [host for host in addresses if not re.search(r"(^|\.)example\.(com|org)$", host, re.IGNORECASE)] == []
    assert {request["uri"].partition("/Users")[0] for request, _ in documents(name)} == {HOME}
    assert not re.search(r"localhost|127\.0\.0\.1", text)


def test_who_recorded_what_is_written_down() -> None:
    """Each server's cassettes have a row in the README beside them, with versions and the day."""
    readme = (FOLDER.parent / "README.md").read_text("utf-8")
    for server in {name.partition("-")[0] for name in CASSETTES}:
        assert re.search(rf"^\| `{server}-\*` \| .*\d.* \| \d{{4}}-\d\d-\d\d \|$", readme, re.MULTILINE)
