"""`run`, against servers that nobody here wrote: what it publishes is what the server itself says it holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from servers.peer import Peer
from servers.scim2 import scim2_server
from servers.scimmy import scimmy_server

from connector_core.errors import CredentialsRefused
from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.model import Secret, SyncReport

pytestmark = pytest.mark.live

PEOPLE, PAGE = 300, 7
ROLES = {True: "editor", False: "viewer", None: None}

SERVERS: dict[str, Callable[[int], AbstractContextManager[Peer]]] = {
    "scim2-index": lambda users: scim2_server(users=users),
    "scim2-cursor": lambda users: scim2_server(users=users, cursor="offered"),
    "scim2-cursor-only": lambda users: scim2_server(users=users, cursor="only"),
    "scimmy4": lambda users: scimmy_server(express=4, users=users),
}


def connect(peer: Peer, state: Path, **settings: Any) -> Connection:
    """A connection that reads the peer in pages of seven."""
    token = Secret(settings.pop("token", peer.token))
    given = {"base_url": peer.url, "token": token, "page_size": PAGE, **settings}
    return Host(state).connection("whimsical", settings=given)


def shown(connection: Connection) -> dict[str | None, str | None]:
    """By login, the role in the picture."""
    rows = connection.access()
    by_login = {row.user: row.role for row in rows}
    assert len(by_login) == len(rows), "somebody is shown twice"
    return by_login


def held(peer: Peer) -> dict[str, str | None]:
    """By login, the role according to the server."""
    return {login: ROLES[editor] for login, editor in peer.roles().items()}


class Synced(NamedTuple):
    peer: Peer
    connection: Connection
    report: SyncReport


@pytest.fixture(scope="module", params=SERVERS)
def synced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    """A server that was read once, and that tests do not change."""
    with SERVERS[request.param](PEOPLE) as peer:
        connection = connect(peer, tmp_path_factory.mktemp("live") / "state.db")
        yield Synced(peer, connection, connection.sync())


def test_everybody_is_read_with_the_right_role(synced: Synced) -> None:
    """Three hundred people in pages of seven: complete, with the roles that the server holds."""
    report = synced.report
    assert (report.sync.status, report.sync.reason) == ("complete", None)
    assert report.counts.user == PEOPLE
    assert shown(synced.connection) == held(synced.peer)
    assert report.sync.requests < 60, "one pass over the pages, and no request for each user"


def test_a_second_run_changes_nothing(synced: Synced) -> None:
    """Reading the same again adds no row to the history."""
    again = synced.connection.sync()
    assert (again.sync.status, again.changes.total) == ("complete", 0)
    assert synced.connection.changes() == ()


def test_a_wrong_token_is_told_apart(synced: Synced, tmp_path: Path) -> None:
    """Credentials that the server refuses stop the run with their own error."""
    with pytest.raises(CredentialsRefused):
        connect(synced.peer, tmp_path / "state.db", token="wrong").sync()


@pytest.mark.parametrize("server", ["scim2-index", "scim2-cursor", "scimmy4"])
def test_changes_shows_joiner_leaver_and_role_change(server: str, tmp_path: Path) -> None:
    """After one of each on the server, `changes` has exactly these: the joiner, the leaver, the swap of roles."""
    with SERVERS[server](60) as peer:
        connection = connect(peer, tmp_path / "state.db")
        connection.sync()
        ids = {user["userName"]: user["id"] for user in peer.users()}
        joiner = peer.add("joiner@example.com", editor=True)
        peer.remove(ids["person4@example.com"])
        peer.set_role(ids["person5@example.com"], True)
        report = connection.sync()
        assert report.sync.status == "complete"
        found = {(c.kind, c.user_id, c.user, c.what, c.before, c.after) for c in connection.changes()}
        assert {row[:4] for row in found} == {
            ("added", joiner, "joiner@example.com", "account"),
            ("added", joiner, "joiner@example.com", "grant"),
            ("removed", ids["person4@example.com"], "person4@example.com", "account"),
            ("removed", ids["person4@example.com"], "person4@example.com", "grant"),
            ("changed", ids["person5@example.com"], "person5@example.com", "grant"),
        }
        swap = next(row for row in found if row[0] == "changed")
        assert swap[4:] == ("role:viewer:assigned", "role:editor:assigned")
        assert shown(connection) == held(peer)


def test_p01_a_page_cap_loses_nobody(tmp_path: Path) -> None:
    """Pages of at most 40 rows where 100 are asked for: all 250 people, not the 120 that counting by request gives."""
    with scim2_server(users=250, page_cap=40) as peer:
        connection = connect(peer, tmp_path / "state.db", page_size=100)
        report = connection.sync()
        assert (report.sync.status, report.counts.user) == ("complete", 250)
        assert shown(connection) == held(peer)


# -- as a program ----------------------------------------------------------------------------------------------


def program(peer: Peer, folder: Path, *arguments: str, token: str | None = None) -> tuple[int, Any]:
    """Run ``connector-core`` in a home of its own; its exit code and the document it printed."""
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_CORE_")},
        "HOME": str(folder),
        "CONNECTOR_CORE_DB": str(folder / "state.db"),
        "CONNECTOR_CORE_WHIMSICAL_BASE_URL": peer.url,
        "CONNECTOR_CORE_WHIMSICAL_TOKEN": token or peer.token,
        "CONNECTOR_CORE_WHIMSICAL_PAGE_SIZE": str(PAGE),
    }
    command = [Path(sys.executable).with_name("connector-core"), *arguments, "--json"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout)


def test_run_and_changes_as_programs(tmp_path: Path) -> None:
    """What a script does: `run`, something happens, `run` again, `changes`; every exit code is 0."""
    with scimmy_server(users=40) as peer:
        code, first = program(peer, tmp_path, "run", "whimsical")
        assert (code, first["sync"]["status"], first["counts"]["user"]) == (0, "complete", 40)
        peer.add("joiner@example.com", editor=False)
        code, second = program(peer, tmp_path, "run", "whimsical")
        assert (code, second["changes"]) == (0, {"added": 2, "removed": 0, "changed": 0})
        code, listed = program(peer, tmp_path, "changes", "whimsical")
        assert code == 0
        assert [row["user"] for row in listed["changes"]] == ["joiner@example.com"] * 2
        code, answer = program(peer, tmp_path, "access", "whimsical")
        assert {row["user"]: row["role"] for row in answer["access"]} == held(peer)


def test_p03_a_server_that_knows_one_page_ends_soon_and_incomplete(tmp_path: Path) -> None:
    """SCIMMY on Express 5 shows its first 20 people whatever is asked: exit 6, and not a picture of 20 as if of all."""
    with scimmy_server(express=5, users=PEOPLE) as peer:
        code, document = program(peer, tmp_path, "run", "whimsical")
        assert (code, document["sync"]["status"]) == (6, "incomplete")
        assert document["sync"]["requests"] < 100
        assert document["counts"]["user"] == 20


def test_a_wrong_token_exits_4(tmp_path: Path) -> None:
    """The exit code says that credentials were refused, and no token is printed."""
    with scim2_server(users=1) as peer:
        code, document = program(peer, tmp_path, "run", "whimsical", token="canary-token")
        assert (code, document["error"]["code"]) == (4, "credentials_refused")
        assert "canary-token" not in json.dumps(document)
